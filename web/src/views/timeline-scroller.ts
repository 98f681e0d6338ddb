/** Keeps a timeline where its reader wants it: at the end with new messages, or where they have scrolled to. */
import type { ConversationState } from "../viewmodels/conversation";

const NEAR_END_PX = 48;
const NEAR_START_PX = 240;

export interface ScrollerOptions {
  readonly box: HTMLElement;
  readonly content: HTMLElement;
  readonly onEndChange: (isAtEnd: boolean) => void;
  readonly loadOlder: () => void;
}

export class TimelineScroller {
  readonly #options: ScrollerOptions;
  readonly #observer: ResizeObserver;
  #isAtEnd = true;
  /** How far the top of what is seen is from the end of the content. */
  #fromEnd = 0;
  #firstKey: string | undefined;
  #newestKey: string | null = null;
  #askedAtCount = -1;
  #mayLoadOlder = false;

  constructor(options: ScrollerOptions) {
    this.#options = options;
    options.box.addEventListener("scroll", this.#onScroll, { passive: true });
    // streaming answers grow in place and windows change their size: whoever is at the end stays there
    this.#observer = new ResizeObserver(() => {
      if (this.#isAtEnd) this.#toEnd();
    });
    this.#observer.observe(options.box);
    this.#observer.observe(options.content);
  }

  /** Call after each drawing of `state`, before the browser paints. */
  update(state: ConversationState): void {
    const { box } = this.#options;
    const hasJustWritten = state.isNewestMine && state.newestKey !== this.#newestKey;
    const firstKey = state.items[0]?.key;
    if (this.#isAtEnd || hasJustWritten) this.goToEnd();
    else if (firstKey !== this.#firstKey) box.scrollTop = box.scrollHeight - this.#fromEnd;
    this.#firstKey = firstKey;
    this.#newestKey = state.newestKey;
    this.#fromEnd = box.scrollHeight - box.scrollTop;
    this.#mayLoadOlder = state.isLoaded && state.hasOlder && !state.isLoadingOlder;
    this.#loadOlderOnce(state.items.length);
  }

  goToEnd(): void {
    this.#toEnd();
    this.#setAtEnd(true);
  }

  stop(): void {
    this.#options.box.removeEventListener("scroll", this.#onScroll);
    this.#observer.disconnect();
  }

  readonly #onScroll = (): void => {
    const { box } = this.#options;
    this.#fromEnd = box.scrollHeight - box.scrollTop;
    this.#setAtEnd(this.#fromEnd - box.clientHeight < NEAR_END_PX);
    this.#loadOlderNearStart();
  };

  /** A page too short to scroll asks by itself, once for each number of items: a failure is not repeated for ever. */
  #loadOlderOnce(itemCount: number): void {
    if (!this.#mayLoadOlder || this.#askedAtCount === itemCount) return;
    this.#askedAtCount = itemCount;
    this.#loadOlderNearStart();
  }

  #loadOlderNearStart(): void {
    if (this.#mayLoadOlder && this.#options.box.scrollTop < NEAR_START_PX) this.#options.loadOlder();
  }

  #toEnd(): void {
    this.#options.box.scrollTop = this.#options.box.scrollHeight;
  }

  #setAtEnd(isAtEnd: boolean): void {
    if (isAtEnd === this.#isAtEnd) return;
    this.#isAtEnd = isAtEnd;
    this.#options.onEndChange(isAtEnd);
  }
}
