import { describe, expect, it } from "vitest";
import { ChatError } from "../../src/models/errors";
import { NewTicketViewModel } from "../../src/viewmodels/new-ticket";
import { TicketsViewModel } from "../../src/viewmodels/tickets";
import { aRoom, aTicket, FakeBridge } from "../fakes";

const ROOM = aRoom({ roomId: "!ticket", type: "support", key: "ticket_t1" });

function newTicket(bridge: FakeBridge, comes = true): { model: NewTicketViewModel; isDone: () => boolean } {
  let isDone = false;
  const model = new NewTicketViewModel({
    bridge,
    tenantId: "acme",
    goTo: () => Promise.resolve(comes),
    onDone: () => (isDone = true),
  });
  return { model, isDone: () => isDone };
}

describe("a new ticket", () => {
  it("is opened with what was written, for the team unless said otherwise", async () => {
    const bridge = new FakeBridge();
    const { model, isDone } = newTicket(bridge);
    model.write({ subject: " Door ", body: "It does not open.\n" });
    await model.open();
    const wish = { subject: "Door", body: "It does not open.", audience: "team" };
    expect([bridge.asked, isDone()]).toEqual([[["openTicket", "acme", wish]], true]);
    const other = newTicket(bridge);
    other.model.write({ subject: "Bill", body: "Too high" });
    other.model.ask("bitnexus");
    await other.model.open();
    expect(bridge.asked.at(-1)).toMatchObject([{}, {}, { audience: "bitnexus" }]);
  });

  it.each([
    { subject: "", body: "text" },
    { subject: "Door", body: " \n" },
  ])("needs both subject and text: %o", async (wish) => {
    const bridge = new FakeBridge();
    const { model, isDone } = newTicket(bridge);
    model.write(wish);
    await model.open();
    expect([bridge.asked, isDone(), model.state.get().isTrouble]).toEqual([[], false, true]);
  });

  it("is one ticket, also when its room is slow and the button is pressed again", async () => {
    const bridge = new FakeBridge();
    const { model, isDone } = newTicket(bridge, false);
    model.write({ subject: "Door", body: "text" });
    await Promise.all([model.open(), model.open()]);
    await model.open();
    expect(bridge.asked.length).toBe(1);
    expect([isDone(), model.state.get().sentence.includes("takes longer")]).toEqual([false, true]);
  });

  it("can be sent again after a refusal, which is shown", async () => {
    const bridge = new FakeBridge();
    const { model, isDone } = newTicket(bridge);
    model.write({ subject: "Door", body: "text" });
    bridge.failure = new ChatError("Guests open no tickets.", { isPassing: false });
    await model.open();
    expect(model.state.get()).toMatchObject({ sentence: "Guests open no tickets.", isTrouble: true });
    bridge.failure = null;
    await model.open();
    expect(isDone()).toBe(true);
  });
});

describe("the tickets of a tenant", () => {
  async function settled(tickets: TicketsViewModel): Promise<void> {
    await tickets.reload();
  }

  it("are asked for when their rooms change, and not for other rooms' sake", async () => {
    const bridge = new FakeBridge();
    const tickets = new TicketsViewModel(bridge, "acme");
    tickets.follow([aRoom()]);
    expect(bridge.asked).toEqual([]);
    tickets.follow([aRoom(), ROOM]);
    tickets.follow([aRoom({ unread: 3 }), ROOM]);
    expect(bridge.asked).toEqual([["listTickets", "acme"]]);
    await settled(tickets);
    const before = bridge.asked.length;
    tickets.follow([{ ...ROOM, lastActivity: 5 }]);
    tickets.follow([{ ...ROOM, lastActivity: 5, mayWrite: false }]);
    await tickets.reload();
    expect(bridge.asked.length).toBeGreaterThan(before);
  });

  it("belong to their rooms by id, and by key while the bridge does not know the id", async () => {
    const bridge = new FakeBridge();
    bridge.tickets = [
      aTicket({ roomId: null }),
      aTicket({ ticketId: "t2", roomKey: null, roomId: "!other" }),
    ];
    const tickets = new TicketsViewModel(bridge, "acme");
    await tickets.reload();
    const other = aRoom({ roomId: "!other", type: "support", key: "ticket_zzz" });
    expect([tickets.ticketOf(ROOM)?.ticketId, tickets.ticketOf(other)?.ticketId]).toEqual(["t1", "t2"]);
    expect([tickets.ticketOf(aRoom({ roomId: "!other" })), tickets.ticketOf(null)]).toEqual([null, null]);
  });

  it("are asked for again after a change, and a refusal is said until the next one", async () => {
    const bridge = new FakeBridge();
    const tickets = new TicketsViewModel(bridge, "acme");
    bridge.failure = new ChatError("Only support people may do this.", { isPassing: false });
    await tickets.change("t1", { status: "closed" });
    expect(tickets.trouble.get()).toBe("Only support people may do this.");
    bridge.failure = null;
    bridge.tickets = [aTicket({ status: "closed" })];
    await tickets.change("t1", { satisfaction: 5 });
    expect(tickets.trouble.get()).toBe("");
    expect(bridge.asked.slice(1)).toEqual([
      ["changeTicket", "acme", "t1", { satisfaction: 5 }],
      ["listTickets", "acme"],
    ]);
    expect(tickets.ticketOf(ROOM)?.status).toBe("closed");
  });

  it("keep what is known while the bridge is away", async () => {
    const bridge = new FakeBridge();
    bridge.tickets = [aTicket()];
    const tickets = new TicketsViewModel(bridge, "acme");
    await tickets.reload();
    bridge.failure = new ChatError("away", { isPassing: true });
    await tickets.reload();
    expect(tickets.ticketOf(ROOM)?.number).toBe(7);
  });
});
