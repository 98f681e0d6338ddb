/** Lays the rooms of one tenant out as sections of the list. */
import { isTicketRoom, type Room, type RoomType } from "../models/room";
import { words } from "./words";

export interface RoomSection {
  readonly key: "rooms" | "people" | "assistant" | "support" | "alliances";
  readonly title: string;
  readonly rooms: readonly Room[];
  /** Tickets that are closed: folded away, below the others. */
  readonly closed: readonly Room[];
  /** What can be begun here. */
  readonly begins: "message" | "ticket" | null;
}

type Order = (one: Room, other: Room) => number;

interface SectionRule extends Omit<RoomSection, "rooms" | "closed"> {
  readonly types: readonly RoomType[];
  readonly order: Order;
}

const byName: Order = (one, other) =>
  one.name.localeCompare(other.name) || (one.roomId < other.roomId ? -1 : 1);

const byActivity: Order = (one, other) => other.lastActivity - one.lastActivity || byName(one, other);

const ROOM_TYPES: readonly RoomType[] = ["general", "announcement", "custom"];

const byType: Order = (one, other) =>
  ROOM_TYPES.indexOf(one.type) - ROOM_TYPES.indexOf(other.type) || byName(one, other);

const SECTIONS: readonly SectionRule[] = [
  { key: "rooms", title: words.roomsRooms, types: ROOM_TYPES, order: byType, begins: null },
  { key: "people", title: words.roomsPeople, types: ["dm"], order: byName, begins: "message" },
  { key: "assistant", title: words.roomsAssistant, types: ["ai"], order: byName, begins: null },
  { key: "support", title: words.roomsSupport, types: ["support"], order: byActivity, begins: "ticket" },
  { key: "alliances", title: words.roomsAlliances, types: ["alliance"], order: byName, begins: null },
];

export interface ListOptions {
  readonly tenantId: string;
  readonly openRoomId: string | null;
  /** Guests begin nothing. */
  readonly isGuest: boolean;
}

/** Return the sections that have rooms or in which something can be begun; other tenants' rooms are left out. */
export function sectionRooms(rooms: readonly Room[], options: ListOptions): RoomSection[] {
  const own = roomsOf(rooms, options.tenantId).map((room) => seen(room, options.openRoomId));
  return SECTIONS.map((rule) => layOut(rule, own, options)).filter(
    ({ rooms: open, closed, begins }) => open.length > 0 || closed.length > 0 || begins !== null,
  );
}

function layOut(
  { types, order, ...section }: SectionRule,
  own: readonly Room[],
  options: ListOptions,
): RoomSection {
  const found = own.filter((room) => types.includes(room.type)).sort(order);
  return {
    ...section,
    rooms: found.filter((room) => !isClosedTicket(room)),
    closed: found.filter(isClosedTicket),
    begins: options.isGuest ? null : section.begins,
  };
}

/** Return the rooms that a tenant's people see as theirs: its own, and those of its alliances. */
export function roomsOf(rooms: readonly Room[], tenantId: string): Room[] {
  return rooms.filter((room) => room.tenantId === tenantId || room.partnerTenantId === tenantId);
}

/** Nobody writes in the room of a ticket that is closed. */
export function isClosedTicket(room: Room): boolean {
  return isTicketRoom(room) && !room.mayWrite;
}

/** Return the room that is shown when the person has not chosen one. */
export function firstRoom(sections: readonly RoomSection[]): Room | null {
  return sections.flatMap((section) => section.rooms)[0] ?? null;
}

/** What is on the screen is not unread, though the server has yet to hear so. */
function seen(room: Room, openRoomId: string | null): Room {
  const isSeen = room.roomId === openRoomId && (room.unread > 0 || room.highlights > 0);
  return isSeen ? { ...room, unread: 0, highlights: 0 } : room;
}
