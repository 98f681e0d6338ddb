/** The dialog "New ticket": what it is about, and who is asked. */
import type { Audience, Bridge, TicketWish } from "../models/bridge";
import { Cell, type Readable } from "../models/cell";
import { type GoTo, troubleSentence } from "./new-message";
import { words } from "./words";

export interface NewTicketState extends TicketWish {
  readonly isOpening: boolean;
  readonly sentence: string;
  readonly isTrouble: boolean;
}

export interface NewTicketOptions {
  readonly bridge: Bridge;
  readonly tenantId: string;
  readonly goTo: GoTo;
  readonly onDone: () => void;
}

export class NewTicketViewModel {
  readonly state: Readable<NewTicketState>;
  readonly #state = new Cell<NewTicketState>({
    subject: "",
    body: "",
    audience: "team",
    isOpening: false,
    sentence: "",
    isTrouble: false,
  });
  readonly #options: NewTicketOptions;

  constructor(options: NewTicketOptions) {
    this.#options = options;
    this.state = this.#state;
  }

  write(wish: Partial<TicketWish>): void {
    this.#change(wish);
  }

  ask(audience: Audience): void {
    this.#change({ audience });
  }

  /** Open the ticket and go to its room; asked twice, it is opened once. */
  async open(): Promise<void> {
    const { isOpening, audience, ...typed } = this.#state.get();
    const [subject, body] = [typed.subject.trim(), typed.body.trim()];
    if (isOpening) return;
    if (!subject || !body) {
      this.#change({ sentence: words.ticketNeedsWords, isTrouble: true });
      return;
    }
    const { bridge, tenantId, goTo, onDone } = this.#options;
    this.#change({ isOpening: true, sentence: words.openingTicket, isTrouble: false });
    try {
      // once it is opened the dialog is done: to open it again would make a second one
      if (!(await goTo(await bridge.openTicket(tenantId, { subject, body, audience })))) {
        this.#change({ sentence: words.takesLonger, isTrouble: true });
        return;
      }
      onDone();
    } catch (error) {
      this.#change({ isOpening: false, sentence: troubleSentence(error), isTrouble: true });
    }
  }

  #change(change: Partial<NewTicketState>): void {
    this.#state.set({ ...this.#state.get(), ...change });
  }
}
