/** Reads the SDK's rooms into the models that the list shows. */
import { Direction } from "matrix-js-sdk/lib/models/event-timeline.js";
import { NotificationCountType, type Room as SdkRoom } from "matrix-js-sdk/lib/models/room.js";
import type { RoomState } from "matrix-js-sdk/lib/models/room-state.js";
import type { Room, RoomType } from "../models/room";
import { isRecord, readString } from "./json";

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
    type,
    name: room.name,
    topic: readString(stateContent(room, "m.room.topic"), "topic") ?? "",
    unread: room.getUnreadNotificationCount(NotificationCountType.Total),
    highlights: room.getUnreadNotificationCount(NotificationCountType.Highlight),
    mayWrite: state(room)?.maySendMessage(myId) ?? false,
    typing: typingNames(room, myId),
  };
}

/** Tell whether two models of a room show the same. */
export function isSameRoom(one: Room, other: Room): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
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
