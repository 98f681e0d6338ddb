/** Reads the SDK's rooms into the models that the list shows. */
import { Direction } from "matrix-js-sdk/lib/models/event-timeline.js";
import { NotificationCountType, type Room as SdkRoom } from "matrix-js-sdk/lib/models/room.js";
import type { RoomMember } from "matrix-js-sdk/lib/models/room-member.js";
import type { RoomState } from "matrix-js-sdk/lib/models/room-state.js";
import type { Room, RoomType } from "../models/room";
import { isRecord, readString, readText } from "./json";
import { senderKind } from "./messages";

const ROOM_MARKER = "com.bitnexus.room";
const ROOM_TYPES: readonly string[] = [
  "general",
  "announcement",
  "support",
  "dm",
  "ai",
  "alliance",
  "custom",
] satisfies RoomType[];

/** Return the room as a model, or null when it is none of ours, a space, or not joined. */
export function readRoom(room: SdkRoom, myId: string): Room | null {
  if (room.getMyMembership() !== "join") return null;
  const marker = stateContent(room, ROOM_MARKER);
  const tenantId = readString(marker, "tenant_id");
  const type = readString(marker, "type");
  if (!tenantId || !isRoomType(type)) return null;
  return {
    roomId: room.roomId,
    tenantId,
    partnerTenantId: type === "alliance" ? readString(marker, "partner_tenant_id") : null,
    key: readText(marker, "key"),
    type,
    ...readName(room, type, myId),
    topic: readText(stateContent(room, "m.room.topic"), "topic"),
    unread: room.getUnreadNotificationCount(NotificationCountType.Total),
    highlights: room.getUnreadNotificationCount(NotificationCountType.Highlight),
    mayWrite: state(room)?.maySendMessage(myId) ?? false,
    lastActivity: type === "support" ? Math.max(room.getLastActiveTimestamp(), 0) : 0,
    typing: typingNames(room, myId),
  };
}

/** A direct chat is called after the other one, whatever the room itself is called. */
function readName(room: SdkRoom, type: RoomType, myId: string): Pick<Room, "name" | "person"> {
  const other = type === "dm" ? otherPerson(room, myId) : null;
  if (!other) return { name: room.name, person: null };
  const person = { matrixId: other.userId, avatarUrl: other.getMxcAvatarUrl() ?? "" };
  return { name: other.rawDisplayName, person };
}

/** Tell whether two models of a room show the same. */
export function isSameRoom(one: Room, other: Room): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The one that a direct chat is with: who is in it, or who was. */
function otherPerson(room: SdkRoom, myId: string): RoomMember | null {
  const others = room
    .getMembers()
    .filter((member) => member.userId !== myId && senderKind(member.userId) === "person");
  const isThere = (member: RoomMember): boolean =>
    member.membership === "join" || member.membership === "invite";
  return others.find(isThere) ?? others[0] ?? null;
}

function stateContent(room: SdkRoom, eventType: string): Record<string, unknown> {
  const content: unknown = state(room)?.getStateEvents(eventType, "")?.getContent();
  return isRecord(content) ? content : {};
}

function state(room: SdkRoom): RoomState | undefined {
  return room.getLiveTimeline().getState(Direction.Forward);
}

function typingNames(room: SdkRoom, myId: string): readonly string[] {
  return room
    .getMembers()
    .filter((member) => member.typing && member.userId !== myId)
    .map((member) => member.name);
}

function isRoomType(type: string | null): type is RoomType {
  return type !== null && ROOM_TYPES.includes(type);
}
