/** One opened room: its messages as a live value, and what a person does in it. */
import { MsgType } from "matrix-js-sdk/lib/@types/event.js";
import type { MatrixClient } from "matrix-js-sdk/lib/client.js";
import { type MatrixEvent, MatrixEventEvent } from "matrix-js-sdk/lib/models/event.js";
import { Direction, type EventTimeline } from "matrix-js-sdk/lib/models/event-timeline.js";
import { type Room as SdkRoom, RoomEvent } from "matrix-js-sdk/lib/models/room.js";
import { RoomMemberEvent } from "matrix-js-sdk/lib/models/room-member.js";
import { Cell } from "../models/cell";
import type { Conversation } from "../models/connection";
import type { Message, Timeline } from "../models/message";
import { onceSoon } from "./once-soon";
import { isMessage, readMessage } from "./messages";

const PAGE = 40;
/** A page can be all edits (a streamed answer has dozens), so pages are asked for until this many messages came. */
const MESSAGES_A_FILL = 25;
const PAGES_A_FILL = 8;
const TYPING_LASTS_MS = 6000;

export class MatrixConversation implements Conversation {
  readonly timeline = new Cell<Timeline>({
    messages: [],
    hasOlder: true,
    isLoaded: false,
    isLoadingOlder: false,
  });
  readonly #client: MatrixClient;
  readonly #room: SdkRoom;
  readonly #known = new WeakMap<MatrixEvent, Message>();
  #isLoaded = false;
  #filling: Promise<void> | null = null;
  #isClosed = false;

  constructor(client: MatrixClient, room: SdkRoom) {
    this.#client = client;
    this.#room = room;
    this.#listen("on");
    this.#refresh();
    void this.#fill(MESSAGES_A_FILL);
  }

  loadOlder(): Promise<void> {
    return this.#fill(this.timeline.get().messages.length + MESSAGES_A_FILL);
  }

  send(body: string): void {
    const content = { msgtype: MsgType.Text, body, "m.mentions": {} } as const;
    // a failure is the event's own state, which the timeline shows
    this.#client.sendMessage(this.#room.roomId, content).catch(() => undefined);
  }

  retry(key: string): void {
    const event = this.#pendingEvent(key);
    if (event) this.#client.resendEvent(event, this.#room).catch(() => undefined);
  }

  discard(key: string): void {
    const event = this.#pendingEvent(key);
    if (event) this.#client.cancelPendingEvent(event);
  }

  setTyping(isTyping: boolean): void {
    this.#client.sendTyping(this.#room.roomId, isTyping, TYPING_LASTS_MS).catch(() => undefined);
  }

  markRead(): void {
    const newest = this.#room.getLiveTimeline().getEvents().at(-1);
    const newestId = newest?.getId();
    if (!newest || !newestId || this.#room.hasUserReadEvent(this.#room.myUserId, newestId)) return;
    this.#client.sendReadReceipt(newest).catch(() => undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#listen("off");
  }

  #listen(what: "on" | "off"): void {
    this.#room[what](RoomEvent.Timeline, this.#refreshSoon);
    this.#room[what](RoomEvent.LocalEchoUpdated, this.#refreshSoon);
    this.#room[what](RoomEvent.Redaction, this.#refreshSoon);
    this.#room[what](RoomEvent.TimelineReset, this.#fillAfterGap);
    this.#client[what](MatrixEventEvent.Replaced, this.#refreshSoon);
    this.#client[what](RoomMemberEvent.Name, this.#refreshSoon);
  }

  readonly #refreshSoon = onceSoon(() => {
    if (!this.#isClosed) this.#refresh();
  });

  /** After a gap the newest messages stand alone; paging back finds those that were there and joins them again. */
  readonly #fillAfterGap = (): void => {
    void this.#fill(MESSAGES_A_FILL);
  };

  #fill(messageCount: number): Promise<void> {
    this.#filling ??= this.#pageBack(messageCount).finally(() => {
      this.#filling = null;
      this.#isLoaded = true;
      if (!this.#isClosed) this.#refresh();
    });
    this.#refresh();
    return this.#filling;
  }

  async #pageBack(messageCount: number): Promise<void> {
    for (let page = 0; page < PAGES_A_FILL && !this.#isClosed; page += 1) {
      if (this.#events().filter(isMessage).length >= messageCount) return;
      const oldest = this.#timelines()[0];
      if (!oldest?.getPaginationToken(Direction.Backward)) return;
      try {
        await this.#client.paginateEventTimeline(oldest, { backwards: true, limit: PAGE });
      } catch {
        return; // what is there stays, and scrolling up asks again
      }
    }
  }

  #refresh(): void {
    const messages = this.#events()
      .filter(isMessage)
      .map((event) => this.#message(event));
    this.timeline.set({
      messages,
      hasOlder: Boolean(this.#timelines()[0]?.getPaginationToken(Direction.Backward)),
      isLoaded: this.#isLoaded,
      isLoadingOlder: this.#filling !== null,
    });
  }

  /** The message of an event, the same object as long as it shows the same. */
  #message(event: MatrixEvent): Message {
    const before = this.#known.get(event);
    const now = readMessage(event, this.#room, before?.key ?? event.getId() ?? "");
    if (before && JSON.stringify(before) === JSON.stringify(now)) return before;
    this.#known.set(event, now);
    return now;
  }

  /** What the server has put in order, then what is on its way to it. */
  #events(): readonly MatrixEvent[] {
    return [
      ...this.#timelines().flatMap((timeline) => timeline.getEvents()),
      ...this.#room.getPendingEvents(),
    ];
  }

  /** The live timeline and what joins it, oldest first. */
  #timelines(): readonly EventTimeline[] {
    const timelines: EventTimeline[] = [];
    for (
      let timeline: EventTimeline | null = this.#room.getLiveTimeline();
      timeline;
      timeline = timeline.getNeighbouringTimeline(Direction.Backward)
    ) {
      timelines.unshift(timeline);
    }
    return timelines;
  }

  #pendingEvent(key: string): MatrixEvent | undefined {
    return this.#room.getPendingEvents().find((event) => this.#known.get(event)?.key === key);
  }
}
