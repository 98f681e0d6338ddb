import { describe, expect, it } from "vitest";
import { ConversationViewModel, type Drafts, isSendKey } from "../../src/viewmodels/conversation";
import { aMessage, FakeConversation } from "../fakes";

function open(
  drafts: Drafts = new Map(),
  roomId = "!general",
): { room: ConversationViewModel; fake: FakeConversation } {
  const fake = new FakeConversation();
  return { room: new ConversationViewModel({ roomId, conversation: fake, drafts }), fake };
}

describe("isSendKey", () => {
  it.each([
    ["Enter", { key: "Enter", shiftKey: false, isComposing: false }, true],
    ["Shift+Enter", { key: "Enter", shiftKey: true, isComposing: false }, false],
    ["Enter of an input method", { key: "Enter", shiftKey: false, isComposing: true }, false],
    ["a letter", { key: "a", shiftKey: false, isComposing: false }, false],
  ])("%s", (_name, press, expected) => {
    expect(isSendKey(press)).toBe(expected);
  });
});

describe("ConversationViewModel", () => {
  it("sends the draft without the white space around it, and empties it", () => {
    const { room, fake } = open();
    room.write("  two\nlines \n");
    room.send();
    expect(fake.sent).toEqual(["two\nlines"]);
    expect(room.draft.get()).toBe("");
  });

  it("does not send nothing", () => {
    const { room, fake } = open();
    room.write(" \n ");
    room.send();
    expect(fake.sent).toEqual([]);
    expect(room.draft.get()).toBe(" \n ");
  });

  it("tells that the person types, and that they stopped when they sent or left", () => {
    const { room, fake } = open();
    room.write("h");
    room.send();
    room.write("again");
    room.close();
    expect(fake.typing).toEqual([true, false, true, false]);
  });

  it("keeps a draft per room over closing and opening", () => {
    const drafts: Drafts = new Map();
    const first = open(drafts, "!a").room;
    first.write("half a thou");
    first.close();
    expect(open(drafts, "!b").room.draft.get()).toBe("");
    expect(open(drafts, "!a").room.draft.get()).toBe("half a thou");
  });

  it("draws anew when messages come, and names the newest and whose it is", () => {
    const { room, fake } = open();
    let drawn = 0;
    room.state.subscribe(() => (drawn += 1));
    fake.say(aMessage({ key: "a" }), aMessage({ key: "b", from: "me" }));
    expect(drawn).toBe(1);
    expect(room.state.get()).toMatchObject({ newestKey: "b", isNewestMine: true });
    fake.say();
    expect(room.state.get()).toMatchObject({ newestKey: null, isNewestMine: false, items: [] });
  });

  it("hears nothing more once closed", () => {
    const { room, fake } = open();
    room.close();
    fake.say(aMessage());
    expect(room.state.get().items).toEqual([]);
    expect(fake.isClosed).toBe(true);
  });

  it("passes on what is done to messages", async () => {
    const { room, fake } = open();
    room.retry("a");
    room.discard("b");
    room.sawNewest();
    await room.loadOlder();
    expect(fake.asked).toEqual(["retry a", "discard b", "markRead", "loadOlder"]);
  });
});
