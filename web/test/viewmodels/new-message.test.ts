import { describe, expect, it } from "vitest";
import type { AskedRoom } from "../../src/models/bridge";
import { ChatError } from "../../src/models/errors";
import { NewMessageViewModel } from "../../src/viewmodels/new-message";
import { aPerson, FakeBridge, Waits } from "../fakes";

const [ben, cleo, dan] = ["ben", "cleo", "dan"].map((userId) => aPerson({ userId, name: userId }));

class Rig {
  readonly bridge = new FakeBridge();
  readonly waits = new Waits();
  readonly went: AskedRoom[] = [];
  isDone = false;
  comes: Promise<boolean> = Promise.resolve(true);
  readonly model: NewMessageViewModel;

  constructor() {
    this.bridge.people = [ben, cleo, dan].flatMap((person) => person ?? []);
    this.model = new NewMessageViewModel({
      bridge: this.bridge,
      tenantId: "acme",
      goTo: (asked) => {
        this.went.push(asked);
        return this.comes;
      },
      onDone: () => {
        this.isDone = true;
      },
      schedule: this.waits.schedule,
    });
  }

  get active(): string | undefined {
    return this.model.state.get().active?.userId;
  }

  /** Let the typing rest, and the answer come. */
  async rest(): Promise<void> {
    this.waits.pass();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

describe("searching", () => {
  it("shows everybody before anything is typed, the first of them ready for Enter", async () => {
    const rig = new Rig();
    await rig.rest();
    expect(rig.bridge.asked).toEqual([["searchPeople", "acme", ""]]);
    expect(rig.model.state.get()).toMatchObject({ phase: "choosing", sentence: "" });
    expect(rig.active).toBe("ben");
  });

  it("asks once the typing rests, for what is typed by then", async () => {
    const rig = new Rig();
    await rig.rest();
    rig.model.write("c");
    rig.model.write("cl");
    expect(rig.model.state.get().phase).toBe("searching");
    await rig.rest();
    expect(rig.bridge.asked.slice(1)).toEqual([["searchPeople", "acme", "cl"]]);
  });

  it("never shows the answer to an older question", async () => {
    const rig = new Rig();
    let answerFirst: () => void = () => undefined;
    rig.bridge.until = new Promise((resolve) => (answerFirst = resolve));
    rig.waits.pass();
    rig.model.write("cl");
    rig.bridge.until = Promise.resolve();
    rig.bridge.people = cleo ? [cleo] : [];
    await rig.rest();
    answerFirst();
    await rig.rest();
    expect(rig.model.state.get().people.map((person) => person.userId)).toEqual(["cleo"]);
  });

  it("says that nobody was found, and what went wrong", async () => {
    const rig = new Rig();
    rig.bridge.people = [];
    await rig.rest();
    expect(rig.model.state.get()).toMatchObject({
      sentence: "There is nobody else here yet.",
      isTrouble: false,
    });
    rig.model.write(" xy ");
    await rig.rest();
    expect(rig.model.state.get().sentence).toBe("Nobody is called “xy” here.");
    rig.bridge.failure = new ChatError("Chat cannot be reached.", { isPassing: true });
    rig.model.write("xyz");
    await rig.rest();
    expect(rig.model.state.get()).toMatchObject({ sentence: "Chat cannot be reached.", isTrouble: true });
  });

  it("goes through the list in a circle", async () => {
    const rig = new Rig();
    await rig.rest();
    const passed = ([1, 1, 1, -1] as const).map((step) => {
      rig.model.move(step);
      return rig.active;
    });
    expect(passed).toEqual(["cleo", "dan", "ben", "dan"]);
  });
});

describe("choosing", () => {
  it("opens the chat with the active person, and is done when it is there", async () => {
    const rig = new Rig();
    await rig.rest();
    rig.model.move(1);
    await rig.model.choose();
    expect(rig.bridge.asked.at(-1)).toEqual(["openDirectChat", "acme", "cleo"]);
    expect([rig.went, rig.isDone]).toEqual([[{ tenantId: "acme", key: "dm_cleo" }], true]);
  });

  it("opens one chat, however often it is asked for", async () => {
    const rig = new Rig();
    await rig.rest();
    await Promise.all([rig.model.choose(ben), rig.model.choose(cleo)]);
    expect(rig.went).toEqual([{ tenantId: "acme", key: "dm_ben" }]);
  });

  it("says why the server refused, and lets choose again", async () => {
    const rig = new Rig();
    await rig.rest();
    rig.bridge.failure = new ChatError("This tenant has switched direct chats off.", { isPassing: false });
    await rig.model.choose(ben);
    expect(rig.model.state.get()).toMatchObject({
      phase: "choosing",
      sentence: "This tenant has switched direct chats off.",
      isTrouble: true,
    });
    expect(rig.isDone).toBe(false);
    rig.bridge.failure = null;
    await rig.model.choose(ben);
    expect(rig.isDone).toBe(true);
  });

  it("says so when the room does not come in time", async () => {
    const rig = new Rig();
    await rig.rest();
    rig.comes = Promise.resolve(false);
    await rig.model.choose(ben);
    expect(rig.model.state.get().sentence).toContain("takes longer");
    expect(rig.isDone).toBe(false);
  });
});
