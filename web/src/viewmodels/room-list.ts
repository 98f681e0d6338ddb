/** Lays the rooms of one tenant out as sections of the list. */
import type { Room, RoomType } from "../models/room";
import { words } from "./words";

export interface RoomSection {
  readonly key: "rooms" | "people" | "support" | "assistant";
  readonly title: string;
  readonly rooms: readonly Room[];
}

const SECTIONS: readonly (Omit<RoomSection, "rooms"> & { types: readonly RoomType[] })[] = [
  { key: "rooms", title: words.roomsRooms, types: ["general", "announcement", "custom", "alliance"] },
  { key: "assistant", title: words.roomsAssistant, types: ["ai"] },
  { key: "people", title: words.roomsPeople, types: ["dm"] },
  { key: "support", title: words.roomsSupport, types: ["support"] },
];

/** Return the sections that have rooms, each sorted by type and then by name; other tenants' rooms are left out. */
export function sectionRooms(
  rooms: readonly Room[],
  tenantId: string,
  openRoomId: string | null,
): RoomSection[] {
  const own = rooms.filter((room) => room.tenantId === tenantId).map((room) => seen(room, openRoomId));
  return SECTIONS.map(({ key, title, types }) => ({
    key,
    title,
    rooms: own.filter((room) => types.includes(room.type)).sort(byType(types)),
  })).filter((section) => section.rooms.length > 0);
}

/** Return the room that is shown when the person has not chosen one. */
export function firstRoom(sections: readonly RoomSection[]): Room | null {
  return sections[0]?.rooms[0] ?? null;
}

/** What is on the screen is not unread, though the server has yet to hear so. */
function seen(room: Room, openRoomId: string | null): Room {
  const isSeen = room.roomId === openRoomId && (room.unread > 0 || room.highlights > 0);
  return isSeen ? { ...room, unread: 0, highlights: 0 } : room;
}

function byType(types: readonly RoomType[]): (one: Room, other: Room) => number {
  return (one, other) =>
    types.indexOf(one.type) - types.indexOf(other.type) ||
    one.name.localeCompare(other.name) ||
    (one.roomId < other.roomId ? -1 : 1);
}
