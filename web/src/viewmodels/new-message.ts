/** The dialog "New message": who is meant, and the way to the chat with them. */
import type { AskedRoom, Bridge, FoundPerson } from "../models/bridge";
import { Cell, type Readable } from "../models/cell";
import { ChatError } from "../models/errors";
import type { Schedule } from "./schedule";
import { words } from "./words";

export interface NewMessageState {
  readonly query: string;
  readonly people: readonly FoundPerson[];
  /** The one that Enter chooses. */
  readonly active: FoundPerson | null;
  readonly phase: "searching" | "choosing" | "opening";
  /** What the person is to know: nobody was found, or what went wrong. */
  readonly sentence: string;
  readonly isTrouble: boolean;
}

/** Show a room as soon as it stands; false when it did not come in time. */
export type GoTo = (asked: AskedRoom) => Promise<boolean>;

export interface NewMessageOptions {
  readonly bridge: Bridge;
  readonly tenantId: string;
  readonly goTo: GoTo;
  readonly onDone: () => void;
  readonly schedule: Schedule;
}

const SEARCH_AFTER_MS = 200;

export class NewMessageViewModel {
  readonly state: Readable<NewMessageState>;
  readonly #state = new Cell<NewMessageState>({
    query: "",
    people: [],
    active: null,
    phase: "searching",
    sentence: "",
    isTrouble: false,
  });
  readonly #options: NewMessageOptions;
  #cancelSearch: () => void;
  #searches = 0;

  constructor(options: NewMessageOptions) {
    this.#options = options;
    this.state = this.#state;
    this.#cancelSearch = options.schedule(() => void this.#search(), 0);
  }

  /** Search for what is typed, once the typing rests. */
  write(query: string): void {
    this.#cancelSearch();
    this.#searches += 1; // what is under way answers another question
    this.#change({ query, phase: "searching", isTrouble: false, sentence: "" });
    this.#cancelSearch = this.#options.schedule(() => void this.#search(), SEARCH_AFTER_MS);
  }

  /** Go down or up the list; past the end it goes on at the other. */
  move(step: 1 | -1): void {
    const { people, active } = this.#state.get();
    if (people.length === 0) return;
    const from = active ? people.indexOf(active) : -1;
    const to = from === -1 && step === -1 ? people.length - 1 : (from + step + people.length) % people.length;
    this.#change({ active: people[to] ?? null });
  }

  /** Open the chat with a person, or with the active one. */
  async choose(person: FoundPerson | null = this.#state.get().active): Promise<void> {
    if (!person || this.#state.get().phase === "opening") return;
    const { bridge, tenantId, goTo, onDone } = this.#options;
    this.close(); // a search that is under way must not speak over this
    this.#change({
      active: person,
      phase: "opening",
      sentence: words.openingChatWith(person.name),
      isTrouble: false,
    });
    try {
      const hasCome = await goTo(await bridge.openDirectChat(tenantId, person.userId));
      if (hasCome) onDone();
      else this.#change({ phase: "choosing", sentence: words.takesLonger, isTrouble: true });
    } catch (error) {
      this.#trouble(error);
    }
  }

  /** Search no more. */
  close(): void {
    this.#cancelSearch();
    this.#searches += 1;
  }

  async #search(): Promise<void> {
    const { bridge, tenantId } = this.#options;
    const { query } = this.#state.get();
    this.#searches += 1;
    const mine = this.#searches;
    try {
      const people = await bridge.searchPeople(tenantId, query);
      if (mine !== this.#searches) return;
      const sentence =
        people.length > 0 ? "" : query.trim() ? words.nobodyFound(query.trim()) : words.nobodyElse;
      this.#change({ people, active: people[0] ?? null, phase: "choosing", sentence, isTrouble: false });
    } catch (error) {
      if (mine === this.#searches) this.#trouble(error);
    }
  }

  #trouble(error: unknown): void {
    this.#change({ phase: "choosing", sentence: troubleSentence(error), isTrouble: true });
  }

  #change(change: Partial<NewMessageState>): void {
    this.#state.set({ ...this.#state.get(), ...change });
  }
}

/** Return what to say of a failure. */
export function troubleSentence(error: unknown): string {
  return error instanceof ChatError ? error.message : words.wentWrong;
}
