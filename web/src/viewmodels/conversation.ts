/** An opened room as its view needs it: items to draw, a draft, and what the keys do. */
import { Cell, type Readable } from "../models/cell";
import type { Conversation } from "../models/connection";
import { layOutTimeline, type SideOf, type TimelineItem } from "./timeline";
import { TypingNotices } from "./typing";

export interface ConversationState {
  readonly items: readonly TimelineItem[];
  readonly isLoaded: boolean;
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  /** Changes with every message that is new at the end. */
  readonly newestKey: string | null;
  readonly isNewestMine: boolean;
}

/** What people wrote and did not send, by room; it outlives the opening and closing of rooms. */
export type Drafts = Map<string, string>;

export interface KeyPress {
  readonly key: string;
  readonly shiftKey: boolean;
  /** True while an input method still composes a character; its Enter is not ours. */
  readonly isComposing: boolean;
}

/** Tell whether a key pressed in the composer sends the message. */
export function isSendKey(press: KeyPress): boolean {
  return press.key === "Enter" && !press.shiftKey && !press.isComposing;
}

export interface ConversationOptions {
  readonly roomId: string;
  readonly conversation: Conversation;
  readonly drafts: Drafts;
  readonly sideOf?: SideOf;
  readonly now?: () => Date;
}

export class ConversationViewModel {
  readonly roomId: string;
  readonly state: Readable<ConversationState>;
  readonly draft: Cell<string>;
  readonly #conversation: Conversation;
  readonly #drafts: Drafts;
  readonly #typing: TypingNotices;
  readonly #now: () => Date;
  readonly #sideOf: SideOf;
  readonly #stopListening: () => void;

  constructor(options: ConversationOptions) {
    this.roomId = options.roomId;
    this.#conversation = options.conversation;
    this.#drafts = options.drafts;
    this.#now = options.now ?? ((): Date => new Date());
    this.#sideOf = options.sideOf ?? ((): null => null);
    this.draft = new Cell(options.drafts.get(options.roomId) ?? "");
    this.#typing = new TypingNotices(
      (isTyping) => {
        this.#conversation.setTyping(isTyping);
      },
      () => this.#now().getTime(),
    );
    const state = new Cell(this.#read());
    this.state = state;
    this.#stopListening = this.#conversation.timeline.subscribe(() => {
      state.set(this.#read());
    });
  }

  write(text: string): void {
    this.draft.set(text);
    this.#drafts.set(this.roomId, text);
    this.#typing.typed(text);
  }

  /** Send the draft and empty it; a draft of white space only is left alone. */
  send(): void {
    const body = this.draft.get().trim();
    if (body === "") return;
    this.#conversation.send(body);
    this.draft.set("");
    this.#drafts.delete(this.roomId);
    this.#typing.stopped();
  }

  retry(key: string): void {
    this.#conversation.retry(key);
  }

  discard(key: string): void {
    this.#conversation.discard(key);
  }

  loadOlder(): Promise<void> {
    return this.#conversation.loadOlder();
  }

  /** The newest message is on the screen of somebody who looks at it. */
  sawNewest(): void {
    this.#conversation.markRead();
  }

  close(): void {
    this.#typing.stopped();
    this.#stopListening();
    this.#conversation.close();
  }

  #read(): ConversationState {
    const { messages, isLoaded, hasOlder, isLoadingOlder } = this.#conversation.timeline.get();
    const newest = messages.at(-1);
    return {
      items: layOutTimeline(messages, this.#now(), { sideOf: this.#sideOf }),
      isLoaded,
      hasOlder,
      isLoadingOlder,
      newestKey: newest?.key ?? null,
      isNewestMine: newest?.sender.isMe ?? false,
    };
  }
}
