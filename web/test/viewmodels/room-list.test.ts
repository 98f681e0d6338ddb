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

describe("sectionRooms", () => {
  it("sorts by section, then by type, then by name whatever the case", () => {
    const found = sectionRooms(rooms, "acme", null).map((section) => [
      section.key,
      ...section.rooms.map((room) => room.name),
    ]);
    expect(found).toEqual([
      ["rooms", "General", "News", "Art", "zoo", "Ally"],
      ["assistant", "NexusHub"],
      ["people", "Ben"],
      ["support", "Help"],
    ]);
  });

  it("shows the rooms of the one tenant only", () => {
    const foreign = aRoom({ roomId: "!foreign", tenantId: "globex" });
    const shown = sectionRooms([...rooms, foreign], "acme", null).flatMap((section) => section.rooms);
    expect(shown.map((room) => room.roomId)).not.toContain("!foreign");
    expect(sectionRooms([foreign], "acme", null)).toEqual([]);
  });

  it("shows nothing unread in the room that is open, and all of it elsewhere", () => {
    const unread = [aRoom({ roomId: "!a", unread: 3, highlights: 1 }), aRoom({ roomId: "!b", unread: 2 })];
    const shown = sectionRooms(unread, "acme", "!a").flatMap((section) => section.rooms);
    expect(shown.map((room) => [room.roomId, room.unread, room.highlights])).toEqual([
      ["!a", 0, 0],
      ["!b", 2, 0],
    ]);
  });
});

describe("firstRoom", () => {
  it("is the first of the list, or none", () => {
    expect(firstRoom(sectionRooms(rooms, "acme", null))?.roomId).toBe("!general");
    expect(firstRoom([])).toBeNull();
  });
});
