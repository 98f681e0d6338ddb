/** Reads the SDK's events into the messages that the timeline shows. */
import { EventStatus, type MatrixEvent } from "matrix-js-sdk/lib/models/event.js";
import type { Room as SdkRoom } from "matrix-js-sdk/lib/models/room.js";
import type { Message, MessageKind, Sender, SenderKind, SendState } from "../models/message";
import { isRecord, type JsonRecord, readRecord, readString } from "./json";

const LIVE_MARKER = "org.matrix.msc4357.live";
const FILE_TYPES = new Set(["m.image", "m.file", "m.audio", "m.video"]);
const REPLY_FALLBACK = /^> <[^\n]*\n(?:>[^\n]*\n)*\n?/;

/** Tell whether an event is a message of its own: edits and reactions are shown at what they relate to. */
export function isMessage(event: MatrixEvent): boolean {
  return event.getType() === "m.room.message" && !event.isState() && !event.isRelation("m.replace");
}

export function readMessage(event: MatrixEvent, room: SdkRoom, key: string): Message {
  const content: unknown = event.getContent();
  const words = isRecord(content) ? content : {};
  const isRedacted = event.isRedacted();
  return {
    key,
    eventId: event.getId() ?? key,
    sender: readSender(event, room),
    tenantId: readString(words, "com.bitnexus.tenant_id"),
    sentAt: event.getTs(),
    kind: readKind(words),
    body: isRedacted ? "" : readBody(words, event),
    formattedBody: isRedacted ? null : readFormattedBody(words),
    isEdited: event.replacingEvent() !== null && !isWrittenByOurBots(event),
    isRedacted,
    isLive: isLive(words),
    state: readState(event),
  };
}

/** Bots are known by their localparts, which no person can have: the namespace is exclusive. */
export function senderKind(matrixId: string): SenderKind {
  const localpart = matrixId.slice(1, matrixId.indexOf(":"));
  if (localpart === "bitnexus_nexushub") return "ai";
  return localpart === "bitnexus" || localpart.startsWith("bitnexus_") ? "app" : "person";
}

function readSender(event: MatrixEvent, room: SdkRoom): Sender {
  const matrixId = event.getSender() ?? "";
  const kind = senderKind(matrixId);
  const member = room.getMember(matrixId) ?? event.sender;
  // people who share a name are told apart by their ids; a bot's badge does that for bots
  const name = kind === "person" ? member?.name : member?.rawDisplayName;
  return { matrixId, kind, name: name ?? "", isMe: matrixId === room.myUserId };
}

/** Edits are how a bot's answer or status grows; only a person's edit is news to the reader. */
function isWrittenByOurBots(event: MatrixEvent): boolean {
  return senderKind(event.getSender() ?? "") !== "person";
}

function readKind(content: JsonRecord): MessageKind {
  const type = readString(content, "msgtype") ?? "m.text";
  if (type === "m.notice") return "notice";
  if (type === "m.emote") return "emote";
  return FILE_TYPES.has(type) ? "file" : "text";
}

function readBody(content: JsonRecord, event: MatrixEvent): string {
  const body = readString(content, "body") ?? "";
  return event.replyEventId ? body.replace(REPLY_FALLBACK, "") : body;
}

function readFormattedBody(content: JsonRecord): string | null {
  if (readString(content, "format") !== "org.matrix.custom.html") return null;
  return readString(content, "formatted_body");
}

function isLive(content: JsonRecord): boolean {
  return (
    LIVE_MARKER in content || readString(readRecord(content, "com.bitnexus.ai"), "state") === "streaming"
  );
}

function readState(event: MatrixEvent): SendState {
  if (event.status === EventStatus.NOT_SENT) return { kind: "failed", sentence: failureSentence(event) };
  return event.status === null || event.status === EventStatus.SENT ? { kind: "sent" } : { kind: "sending" };
}

function failureSentence(event: MatrixEvent): string {
  const data: unknown = event.error?.data;
  const sentence = isRecord(data) ? readString(data, "error") : null;
  return event.error?.httpStatus === undefined || sentence === null ? "Not sent." : `Not sent: ${sentence}`;
}
