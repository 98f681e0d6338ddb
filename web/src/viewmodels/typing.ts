/** Who is typing, as a sentence; and when to tell others that we are. */
import { words } from "./words";

/** Return the line below the timeline; empty when nobody types. */
export function typingSentence(names: readonly string[]): string {
  const [one, other] = names;
  if (one === undefined) return "";
  if (other === undefined) return words.typingOne(one);
  return names.length === 2 ? words.typingTwo(one, other) : words.typingMany;
}

const REPEAT_AFTER_MS = 3000;

/** Turns key presses into few notices: one when typing begins, one each three seconds, one when it ends. */
export class TypingNotices {
  readonly #notify: (isTyping: boolean) => void;
  readonly #now: () => number;
  #lastNotice: number | null = null;

  constructor(notify: (isTyping: boolean) => void, now: () => number) {
    this.#notify = notify;
    this.#now = now;
  }

  typed(text: string): void {
    if (text.trim() === "") {
      this.stopped();
      return;
    }
    const now = this.#now();
    if (this.#lastNotice !== null && now - this.#lastNotice < REPEAT_AFTER_MS) return;
    this.#lastNotice = now;
    this.#notify(true);
  }

  stopped(): void {
    if (this.#lastNotice === null) return;
    this.#lastNotice = null;
    this.#notify(false);
  }
}
