/** Stand-ins for the protocol: they record what is asked of them and say what the test lets them say. */
import type { AskedRoom, Bridge, FoundPerson, Ticket, TicketChange, TicketWish } from "../src/models/bridge";
import { Cell } from "../src/models/cell";
import type { Connection, ConnectionState, Conversation } from "../src/models/connection";
import type { Message, Timeline } from "../src/models/message";
import type { Person } from "../src/models/person";
import type { Room } from "../src/models/room";

const NOON = new Date(2026, 10, 23, 12, 0).getTime();

export const minutes = (count: number): number => NOON + count * 60_000;

export function aMessage(given: Partial<Message> & { from?: string } = {}): Message {
  const { from = "ann", ...message } = given;
  return {
    key: "$1",
    eventId: "$1",
    sender: { matrixId: `@u_${from}:test`, name: from, kind: "person", isMe: from === "me" },
    sentAt: NOON,
    tenantId: null,
    kind: "text",
    body: "hello",
    formattedBody: null,
    isEdited: false,
    isRedacted: false,
    isLive: false,
    state: { kind: "sent" },
    ...message,
  };
}

export function aRoom(given: Partial<Room> = {}): Room {
  return {
    roomId: "!general",
    tenantId: "acme",
    partnerTenantId: null,
    key: "general",
    type: "general",
    name: "General",
    topic: "",
    person: null,
    unread: 0,
    highlights: 0,
    mayWrite: true,
    lastActivity: 0,
    typing: [],
    ...given,
  };
}

export const anna: Person = {
  userId: "anna",
  matrixId: "@u_anna:test",
  tenants: [
    { tenantId: "acme", name: "Acme", role: "member", spaceId: "!acme" },
    { tenantId: "globex", name: "Globex", role: "guest", spaceId: "!globex" },
  ],
};

/** A schedule whose hands the test moves. */
export class Waits {
  readonly due: { action: () => void; ms: number }[] = [];
  readonly schedule = (action: () => void, ms: number): (() => void) => {
    const wait = { action, ms };
    this.due.push(wait);
    return () => {
      if (this.due.includes(wait)) this.due.splice(this.due.indexOf(wait), 1);
    };
  };

  /** Let the time pass that everything waits for. */
  pass(): void {
    for (const { action } of this.due.splice(0)) action();
  }
}

export class FakeConversation implements Conversation {
  readonly timeline = new Cell<Timeline>({
    messages: [],
    hasOlder: false,
    isLoaded: true,
    isLoadingOlder: false,
  });
  readonly sent: string[] = [];
  readonly typing: boolean[] = [];
  readonly asked: string[] = [];
  isClosed = false;

  say(...messages: Message[]): void {
    this.timeline.set({ ...this.timeline.get(), messages });
  }

  loadOlder(): Promise<void> {
    this.asked.push("loadOlder");
    return Promise.resolve();
  }

  send(body: string): void {
    this.sent.push(body);
  }

  retry(key: string): void {
    this.asked.push(`retry ${key}`);
  }

  discard(key: string): void {
    this.asked.push(`discard ${key}`);
  }

  setTyping(isTyping: boolean): void {
    this.typing.push(isTyping);
  }

  markRead(): void {
    this.asked.push("markRead");
  }

  close(): void {
    this.isClosed = true;
  }
}

export function aPerson(given: Partial<FoundPerson> = {}): FoundPerson {
  const userId = given.userId ?? "ben";
  return { userId, matrixId: `@u_${userId}:test`, name: userId, avatarUrl: "", role: "member", ...given };
}

export function aTicket(given: Partial<Ticket> = {}): Ticket {
  return {
    ticketId: "t1",
    number: 7,
    subject: "The door does not open",
    status: "open",
    audience: "team",
    openerId: "anna",
    assignee: null,
    roomKey: "ticket_t1",
    roomId: "!ticket",
    satisfaction: null,
    ...given,
  };
}

/** Answers what the test has put in; `failure` is what each call fails with instead. */
export class FakeBridge implements Bridge {
  readonly asked: unknown[] = [];
  people: readonly FoundPerson[] = [];
  tickets: readonly Ticket[] = [];
  failure: Error | null = null;
  /** What a search waits for before it answers. */
  until: Promise<void> = Promise.resolve();

  async searchPeople(tenantId: string, query: string): Promise<readonly FoundPerson[]> {
    const { people, until } = this;
    this.#note("searchPeople", tenantId, query);
    await until;
    return people;
  }

  openDirectChat(tenantId: string, userId: string): Promise<AskedRoom> {
    return this.#answer({ tenantId, key: `dm_${userId}` }, "openDirectChat", tenantId, userId);
  }

  openTicket(tenantId: string, wish: TicketWish): Promise<AskedRoom> {
    return this.#answer({ tenantId, key: "ticket_t1" }, "openTicket", tenantId, wish);
  }

  listTickets(tenantId: string): Promise<readonly Ticket[]> {
    return this.#answer(this.tickets, "listTickets", tenantId);
  }

  changeTicket(tenantId: string, ticketId: string, change: TicketChange): Promise<void> {
    return this.#answer(undefined, "changeTicket", tenantId, ticketId, change);
  }

  #note(...asked: unknown[]): void {
    this.asked.push(asked);
    if (this.failure) throw this.failure;
  }

  async #answer<T>(answer: T, ...asked: unknown[]): Promise<T> {
    this.#note(...asked);
    return Promise.resolve(answer);
  }
}

export class FakeConnection implements Connection {
  readonly person: Person;
  readonly state = new Cell<ConnectionState>({ kind: "live" });
  readonly rooms: Cell<readonly Room[]>;
  readonly opened = new Map<string, FakeConversation>();
  readonly bridge = new FakeBridge();
  isClosed = false;

  constructor(rooms: readonly Room[] = [aRoom()], person: Person = anna) {
    this.rooms = new Cell(rooms);
    this.person = person;
  }

  loadPicture(avatarUrl: string): Promise<string | null> {
    return Promise.resolve(`blob:${avatarUrl}`);
  }

  openConversation(roomId: string): FakeConversation {
    const conversation = new FakeConversation();
    this.opened.set(roomId, conversation);
    return conversation;
  }

  close(): void {
    this.isClosed = true;
  }
}
