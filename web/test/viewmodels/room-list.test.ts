import { describe, expect, it } from "vitest";
import type { Room } from "../../src/models/room";
import { firstRoom, sectionRooms } from "../../src/viewmodels/room-list";
import { aRoom } from "../fakes";

const rooms: readonly Room[] = [
  aRoom({ roomId: "!zoo", type: "custom", name: "zoo" }),
  aRoom({ roomId: "!hub", type: "ai", name: "NexusHub" }),
  aRoom({ roomId: "!news", type: "announcement", name: "News" }),
  aRoom({ roomId: "!ben", type: "dm", name: "Ben" }),
  aRoom({ roomId: "!ally", type: "alliance", name: "Ally" }),
  aRoom({ roomId: "!art", type: "custom", name: "Art" }),
  aRoom({ roomId: "!help", type: "support", name: "Help" }),
  aRoom({ roomId: "!general", type: "general", name: "General" }),
];

const LIST = { tenantId: "acme", openRoomId: null, isGuest: false };

describe("sectionRooms", () => {
  it("sorts by section, then by type, then by name whatever the case", () => {
    const found = sectionRooms(rooms, LIST).map((section) => [
      section.key,
      ...section.rooms.map((room) => room.name),
    ]);
    expect(found).toEqual([
      ["rooms", "General", "News", "Art", "zoo"],
      ["people", "Ben"],
      ["assistant", "NexusHub"],
      ["support", "Help"],
      ["alliances", "Ally"],
    ]);
  });

  it("shows the rooms of the one tenant only", () => {
    const foreign = aRoom({ roomId: "!foreign", tenantId: "globex" });
    const shown = sectionRooms([...rooms, foreign], LIST).flatMap((section) => section.rooms);
    expect(shown.map((room) => room.roomId)).not.toContain("!foreign");
    expect(sectionRooms([foreign], LIST).flatMap((section) => section.rooms)).toEqual([]);
  });

  it("shows nothing unread in the room that is open, and all of it elsewhere", () => {
    const unread = [aRoom({ roomId: "!a", unread: 3, highlights: 1 }), aRoom({ roomId: "!b", unread: 2 })];
    const shown = sectionRooms(unread, { ...LIST, openRoomId: "!a" }).flatMap((section) => section.rooms);
    expect(shown.map((room) => [room.roomId, room.unread, room.highlights])).toEqual([
      ["!a", 0, 0],
      ["!b", 2, 0],
    ]);
  });
});

describe("what is between people", () => {
  const ticket = (roomId: string, lastActivity: number, given: Partial<Room> = {}): Room =>
    aRoom({
      roomId,
      type: "support",
      key: `ticket_${roomId.slice(1)}`,
      name: roomId,
      lastActivity,
      ...given,
    });

  it("has support by what was said last, and folds closed tickets away", () => {
    const found = sectionRooms(
      [
        ticket("!old", 1),
        ticket("!done", 9, { mayWrite: false }),
        ticket("!new", 3),
        aRoom({
          roomId: "!help",
          type: "support",
          key: "help",
          name: "Help",
          lastActivity: 2,
          mayWrite: false,
        }),
      ],
      LIST,
    ).find((section) => section.key === "support");
    expect(found?.rooms.map((room) => room.roomId)).toEqual(["!new", "!help", "!old"]);
    expect(found?.closed.map((room) => room.roomId)).toEqual(["!done"]);
  });

  it("lets people begin chats and tickets where there are none yet, and guests nothing", () => {
    const begins = (isGuest: boolean): unknown[] =>
      sectionRooms([], { ...LIST, isGuest }).map((section) => [section.key, section.begins]);
    expect(begins(false)).toEqual([
      ["people", "message"],
      ["support", "ticket"],
    ]);
    expect(begins(true)).toEqual([]);
  });

  it("shows a room of an alliance to both of its tenants", () => {
    const shared = aRoom({ roomId: "!ally", type: "alliance", tenantId: "globex", partnerTenantId: "acme" });
    const roomIds = (tenantId: string): string[] =>
      sectionRooms([shared], { ...LIST, tenantId })
        .flatMap((section) => section.rooms)
        .map((room) => room.roomId);
    expect([roomIds("acme"), roomIds("globex"), roomIds("initech")]).toEqual([["!ally"], ["!ally"], []]);
  });
});

describe("firstRoom", () => {
  it("is the first of the list, or none", () => {
    expect(firstRoom(sectionRooms(rooms, LIST))?.roomId).toBe("!general");
    expect(firstRoom([])).toBeNull();
  });
});
