/** Stand-ins for the protocol: they record what is asked of them and say what the test lets them say. */
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
    type: "general",
    name: "General",
    topic: "",
    unread: 0,
    highlights: 0,
    mayWrite: true,
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

export class FakeConnection implements Connection {
  readonly person: Person;
  readonly state = new Cell<ConnectionState>({ kind: "live" });
  readonly rooms: Cell<readonly Room[]>;
  readonly opened = new Map<string, FakeConversation>();
  isClosed = false;

  constructor(rooms: readonly Room[] = [aRoom()], person: Person = anna) {
    this.rooms = new Cell(rooms);
    this.person = person;
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
