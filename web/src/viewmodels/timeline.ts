/** Lays messages out as days and groups, the way the timeline shows them. */
import type { Message, Sender } from "../models/message";
import { words } from "./words";

export interface DaySeparator {
  readonly kind: "day";
  readonly key: string;
  readonly label: string;
}

/** Messages that one sender wrote in a row. */
export interface MessageGroup {
  readonly kind: "group";
  readonly key: string;
  readonly sender: Sender;
  /** Whose side the sender is on, where that is worth saying. */
  readonly side: string | null;
  readonly messages: readonly Message[];
}

export type TimelineItem = DaySeparator | MessageGroup;

const GROUP_WITHIN_MS = 5 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Return how people of a tenant are marked; null for those who need no mark. */
export type SideOf = (tenantId: string) => string | null;

export interface TimelineOptions {
  readonly sideOf?: SideOf;
  readonly locale?: string;
}

/** Return the items in the order of `messages`; `now` and the locale decide what the days are called. */
export function layOutTimeline(
  messages: readonly Message[],
  now: Date,
  options: TimelineOptions = {},
): TimelineItem[] {
  const items: TimelineItem[] = [];
  let previous: Message | null = null;
  for (const message of messages) {
    if (beginsDay(message, previous)) items.push(separator(message, now, options.locale));
    const group = groupOf(message, options.sideOf);
    const last = items.at(-1);
    if (last?.kind === "group" && goesOn(last, group)) {
      items[items.length - 1] = { ...last, messages: [...last.messages, message] };
    } else {
      items.push(group);
    }
    previous = message;
  }
  return items;
}

/** Return the time of day, such as 14:05, in the reader's own way of writing it. */
export function timeOfDay(sentAt: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(sentAt);
}

/** Return day and time in full, for a tooltip. */
export function fullTime(sentAt: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" }).format(sentAt);
}

/** Return a message as the first of a group. */
function groupOf(message: Message, sideOf: SideOf | undefined): MessageGroup {
  const { key, sender, tenantId } = message;
  const side = tenantId === null || !sideOf ? null : sideOf(tenantId);
  return { kind: "group", key, sender, side, messages: [message] };
}

function goesOn({ side, messages }: MessageGroup, next: MessageGroup): boolean {
  const [previous, message] = [messages.at(-1), next.messages[0]];
  return (
    side === next.side && previous !== undefined && message !== undefined && belongsTo(previous, message)
  );
}

function beginsDay(message: Message, previous: Message | null): boolean {
  return previous === null || dayOf(previous.sentAt) !== dayOf(message.sentAt);
}

function belongsTo(previous: Message, message: Message): boolean {
  return (
    previous.sender.matrixId === message.sender.matrixId &&
    previous.sender.name === message.sender.name &&
    message.sentAt - previous.sentAt < GROUP_WITHIN_MS
  );
}

function separator(message: Message, now: Date, locale: string | undefined): DaySeparator {
  return { kind: "day", key: `day:${message.key}`, label: dayLabel(message.sentAt, now, locale) };
}

function dayLabel(sentAt: number, now: Date, locale: string | undefined): string {
  const day = dayOf(sentAt);
  if (day === dayOf(now.getTime())) return words.today;
  if (day === dayOf(startOfDay(now) - DAY_MS / 2)) return words.yesterday;
  const isThisYear = new Date(sentAt).getFullYear() === now.getFullYear();
  return new Intl.DateTimeFormat(locale, {
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(isThisYear ? {} : { year: "numeric" }),
  }).format(sentAt);
}

function startOfDay(moment: Date): number {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
}

function dayOf(sentAt: number): string {
  return new Date(sentAt).toDateString();
}
