import { describe, expect, it } from "vitest";
import type { Connect, Connection } from "../../src/models/connection";
import { ChatError } from "../../src/models/errors";
import type { Room } from "../../src/models/room";
import { type ChatState, ChatViewModel, type OpenChat } from "../../src/viewmodels/chat";
import { aMessage, anna, aPerson, aRoom, aTicket, FakeConnection, Waits } from "../fakes";

const settings = { baseUrl: "https://bridge.test", getToken: (): Promise<string> => Promise.resolve("jwt") };
const ROOMS = [aRoom(), aRoom({ roomId: "!news", type: "announcement", name: "News", mayWrite: false })];

async function opened(connection: FakeConnection, tenantId: string | null = "acme"): Promise<ChatViewModel> {
  const chat = new ChatViewModel({ connect: () => Promise.resolve(connection), settings, tenantId });
  await chat.open();
  return chat;
}

function openState(chat: ChatViewModel): OpenChat {
  const state = chat.state.get();
  if (state.phase !== "open") throw new Error(`the chat is ${state.phase}`);
  return state;
}

function shown(chat: ChatViewModel): string[] {
  return openState(chat)
    .sections.flatMap((section) => section.rooms)
    .map((room) => room.roomId);
}

/** Connects with one outcome after the other; the last one stays. */
function connectWith(
  first: Error | Connection,
  ...more: (Error | Connection)[]
): { connect: Connect; calls: () => number } {
  const outcomes = [first, ...more];
  let calls = 0;
  return {
    calls: () => calls,
    connect: () => {
      const outcome = outcomes[calls] ?? outcomes.at(-1) ?? first;
      calls += 1;
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
    },
  };
}

describe("opening", () => {
  it("shows the opening until the first sync is there", async () => {
    const connection = new FakeConnection(ROOMS);
    connection.state.set({ kind: "starting" });
    const chat = await opened(connection);
    expect(chat.state.get().phase).toBe("opening");
    connection.state.set({ kind: "live" });
    expect(openState(chat).room?.name).toBe("General");
  });

  it("opens the first room of the list, and the first tenant when none is named", async () => {
    const chat = await opened(new FakeConnection(ROOMS), null);
    expect(openState(chat)).toMatchObject({ tenant: { tenantId: "acme" }, room: { roomId: "!general" } });
  });

  it("refuses a tenant that the person is not in, and lets the connection go", async () => {
    const connection = new FakeConnection(ROOMS);
    const chat = await opened(connection, "initech");
    expect(chat.state.get()).toMatchObject({ phase: "failed", isTryingAgain: false });
    expect(connection.isClosed).toBe(true);
  });

  it("shows a refusal in the server's words and does not try again by itself", async () => {
    const waits = new Waits();
    const { connect, calls } = connectWith(new ChatError("You have no active tenant.", { isPassing: false }));
    const chat = new ChatViewModel({ connect, settings, tenantId: null, schedule: waits.schedule });
    await chat.open();
    expect(chat.state.get()).toEqual({
      phase: "failed",
      sentence: "You have no active tenant.",
      isTryingAgain: false,
    });
    expect([calls(), waits.due.length]).toEqual([1, 0]);
  });

  it("tries again at growing intervals while the failure may pass, up to half a minute", async () => {
    const waits = new Waits();
    const { connect } = connectWith(new ChatError("Away.", { isPassing: true }));
    const chat = new ChatViewModel({ connect, settings, tenantId: null, schedule: waits.schedule });
    const waited: number[] = [];
    await chat.open();
    for (let round = 0; round < 6; round += 1) {
      const wait = waits.due.shift();
      waited.push(wait?.ms ?? 0);
      await chat.open();
    }
    expect(waited).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("comes up by itself when the failure has passed", async () => {
    const waits = new Waits();
    const { connect } = connectWith(new TypeError("chunk not loaded"), new FakeConnection(ROOMS));
    const chat = new ChatViewModel({ connect, settings, tenantId: null, schedule: waits.schedule });
    await chat.open();
    expect(chat.state.get()).toMatchObject({ phase: "failed", isTryingAgain: true });
    const isOpen = new Promise<void>((resolve) => {
      chat.state.subscribe(() => {
        if (chat.state.get().phase === "open") resolve();
      });
    });
    waits.due[0]?.action();
    await isOpen;
  });

  it("does not open what was closed meanwhile", async () => {
    const connection = new FakeConnection(ROOMS);
    const chat = new ChatViewModel({ connect: () => Promise.resolve(connection), settings, tenantId: null });
    const opening = chat.open();
    chat.close();
    await opening;
    expect(connection.isClosed).toBe(true);
    expect(chat.state.get().phase).toBe("opening");
  });
});

describe("an open chat", () => {
  it("goes to a chosen room and closes the one before", async () => {
    const connection = new FakeConnection(ROOMS);
    const chat = await opened(connection);
    chat.select("!news");
    expect(openState(chat).room?.roomId).toBe("!news");
    expect(openState(chat).conversation?.roomId).toBe("!news");
    expect(connection.opened.get("!general")?.isClosed).toBe(true);
  });

  it("keeps the conversation when the chosen room is chosen again, or the list changes", async () => {
    const connection = new FakeConnection(ROOMS);
    const chat = await opened(connection);
    const before = openState(chat).conversation;
    chat.select("!general");
    connection.rooms.set([aRoom({ unread: 4 }), aRoom({ roomId: "!new", name: "New", type: "custom" })]);
    expect(openState(chat).conversation).toBe(before);
  });

  it("falls back to the first room when the open one is gone, and to none when all are", async () => {
    const connection = new FakeConnection(ROOMS);
    const chat = await opened(connection);
    chat.select("!news");
    connection.rooms.set([aRoom()]);
    expect(openState(chat).room?.roomId).toBe("!general");
    connection.rooms.set([]);
    expect(openState(chat)).toMatchObject({ room: null, conversation: null });
    expect(shown(chat)).toEqual([]);
    expect(connection.opened.get("!general")?.isClosed).toBe(true);
  });

  it("never shows a room of another tenant, not even as the first", async () => {
    const chat = await opened(new FakeConnection([aRoom({ roomId: "!foreign", tenantId: "globex" })]));
    expect(openState(chat).room).toBeNull();
    expect(shown(chat)).toEqual([]);
  });

  it("says when the connection is lost and when it is back", async () => {
    const connection = new FakeConnection(ROOMS);
    const chat = await opened(connection);
    connection.state.set({ kind: "offline" });
    expect(openState(chat).isOffline).toBe(true);
    connection.state.set({ kind: "live" });
    expect(openState(chat).isOffline).toBe(false);
  });

  it("ends with the reason when the session has", async () => {
    const connection = new FakeConnection(ROOMS);
    const chat = await opened(connection);
    connection.state.set({ kind: "ended", sentence: "You were removed." });
    expect(chat.state.get()).toEqual<ChatState>({ phase: "ended", sentence: "You were removed." });
    expect([connection.isClosed, connection.opened.get("!general")?.isClosed]).toEqual([true, true]);
  });

  it.each<[string, string, Partial<Room>, string]>([
    ["a member where all may write", "acme", {}, "allowed"],
    ["a member where the power levels say no", "acme", { mayWrite: false }, "moderators-only"],
    ["a chat of two that is over", "acme", { type: "dm", mayWrite: false }, "over"],
    ["an alliance that is over", "acme", { type: "alliance", mayWrite: false }, "over"],
    ["a closed ticket", "acme", { type: "support", key: "ticket_1", mayWrite: false }, "ticket-closed"],
    ["a room for support", "acme", { type: "support", key: "help", mayWrite: false }, "moderators-only"],
    ["a guest, whatever the power levels say", "globex", { tenantId: "globex" }, "guest"],
  ])("lets write: %s", async (_name, tenantId, room, writing) => {
    const chat = await opened(new FakeConnection([aRoom(room)], anna), tenantId);
    chat.select("!general");
    expect(openState(chat).writing).toBe(writing);
  });
});

describe("beginning something", () => {
  const chatWithBen = aRoom({ roomId: "!dm", type: "dm", key: "dm_ben", name: "Ben" });

  async function asking(): Promise<{
    chat: ChatViewModel;
    connection: FakeConnection;
    waits: Waits;
    choosing: Promise<void>;
  }> {
    const connection = new FakeConnection(ROOMS);
    const waits = new Waits();
    const options = { connect: () => Promise.resolve(connection), settings, tenantId: "acme" };
    const chat = new ChatViewModel({ ...options, schedule: waits.schedule });
    await chat.open();
    chat.begin("message");
    const dialog = chat.dialog.get();
    if (dialog?.kind !== "message") throw new Error("no dialog");
    const choosing = dialog.model.choose(aPerson());
    await new Promise((resolve) => setTimeout(resolve, 0));
    return { chat, connection, waits, choosing };
  }

  it("goes to the chat as soon as it stands, and closes the dialog", async () => {
    const { chat, connection, choosing } = await asking();
    expect([openState(chat).room?.roomId, chat.dialog.get()?.kind]).toEqual(["!general", "message"]);
    connection.rooms.set([...ROOMS, chatWithBen]);
    await choosing;
    expect(openState(chat)).toMatchObject({ room: { roomId: "!dm" }, broughtTo: { roomId: "!dm" } });
    expect(chat.dialog.get()).toBeNull();
  });

  it("does not take a room of the same key in another tenant for it", async () => {
    const { chat, connection } = await asking();
    connection.rooms.set([...ROOMS, { ...chatWithBen, tenantId: "globex" }]);
    expect(openState(chat).room?.roomId).toBe("!general");
  });

  it("stays where it is when the dialog was closed meanwhile", async () => {
    const { chat, connection, choosing } = await asking();
    chat.closeDialog();
    connection.rooms.set([...ROOMS, chatWithBen]);
    await choosing;
    expect(openState(chat).room?.roomId).toBe("!general");
  });

  it("gives up waiting after half a minute, and says so", async () => {
    const { chat, waits, choosing } = await asking();
    expect(waits.due.at(-1)?.ms).toBe(30_000);
    waits.pass();
    await choosing;
    const dialog = chat.dialog.get();
    expect(dialog?.kind === "message" && dialog.model.state.get().sentence).toContain("takes longer");
  });

  it("closes a dialog with the chat", async () => {
    const { chat } = await asking();
    chat.close();
    expect(chat.dialog.get()).toBeNull();
  });
});

describe("an open ticket", () => {
  const room = aRoom({ roomId: "!ticket", type: "support", key: "ticket_t1", name: "Door" });

  it.each([
    ["anna", true],
    ["ben", false],
  ])("knows whose it is: %s", async (openerId, isOwn) => {
    const connection = new FakeConnection([...ROOMS, room]);
    connection.bridge.tickets = [aTicket({ openerId })];
    const chat = await opened(connection);
    chat.select("!ticket");
    await chat.tickets?.reload();
    expect(openState(chat)).toMatchObject({ ticket: { number: 7 }, isOwnTicket: isOwn });
    chat.select("!general");
    expect(openState(chat).ticket).toBeNull();
  });
});

describe("a room of an alliance", () => {
  it.each([
    ["acme", "initech", "Shared with whom its id names", "initech"],
    ["acme", "globex", "by its name to its own people", "Globex"],
    ["initech", "acme", "and from the other side", "initech"],
  ])("of %s with %s is %s", async (tenantId, partnerTenantId, _why, expected) => {
    const room = aRoom({ roomId: "!ally", type: "alliance", tenantId, partnerTenantId });
    const chat = await opened(new FakeConnection([room]));
    expect(openState(chat)).toMatchObject({ room: { roomId: "!ally" }, sharedWith: expected });
  });

  it("marks the other side's messages, and no others; nor does any other room", async () => {
    const room = aRoom({ roomId: "!ally", type: "alliance", partnerTenantId: "initech" });
    const connection = new FakeConnection([room, aRoom()]);
    const chat = await opened(connection);
    const sides = (roomId: string): unknown[] => {
      chat.select(roomId);
      const said = [null, "acme", "initech", "globex"].map((tenantId, number) =>
        aMessage({ key: `$${number}`, tenantId, from: `p${number}` }),
      );
      connection.opened.get(roomId)?.say(...said);
      const items = openState(chat).conversation?.state.get().items ?? [];
      return items.flatMap((item) => (item.kind === "group" ? [item.side] : []));
    };
    expect(sides("!ally")).toEqual([null, null, "initech", "Globex"]);
    expect(sides("!general")).toEqual([null, null, null, null]);
  });
});
