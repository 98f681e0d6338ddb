/** The whole panel: opens the connection, keeps the list, and holds the room that is open. */
import { Cell } from "../models/cell";
import type { Connect, Connection, HostSettings } from "../models/connection";
import { ChatError } from "../models/errors";
import type { Tenant } from "../models/person";
import type { Room } from "../models/room";
import { ConversationViewModel, type Drafts } from "./conversation";
import { firstRoom, type RoomSection, sectionRooms } from "./room-list";
import { words } from "./words";

/** Why the composer is or is not there. */
export type Writing = "allowed" | "guest" | "staff-only";

export type ChatState =
  | { readonly phase: "opening" }
  | { readonly phase: "failed"; readonly sentence: string; readonly isTryingAgain: boolean }
  | { readonly phase: "ended"; readonly sentence: string }
  | OpenChat;

export interface OpenChat {
  readonly phase: "open";
  readonly tenant: Tenant;
  readonly isOffline: boolean;
  readonly sections: readonly RoomSection[];
  readonly room: Room | null;
  readonly writing: Writing;
  readonly conversation: ConversationViewModel | null;
}

/** Call `action` after `ms` milliseconds unless the returned function is called before. */
export type Schedule = (action: () => void, ms: number) => () => void;

export interface ChatOptions {
  readonly connect: Connect;
  readonly settings: HostSettings;
  /** Whose rooms are shown; the person's first tenant when null. */
  readonly tenantId: string | null;
  readonly schedule?: Schedule;
}

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30_000;

export class ChatViewModel {
  readonly state = new Cell<ChatState>({ phase: "opening" });
  readonly #options: ChatOptions;
  readonly #drafts: Drafts = new Map();
  #connection: Connection | null = null;
  #conversation: ConversationViewModel | null = null;
  #stopListening: (() => void)[] = [];
  #cancelRetry: (() => void) | null = null;
  #waitMs = FIRST_WAIT_MS;
  #isClosed = false;

  constructor(options: ChatOptions) {
    this.#options = options;
  }

  /** Connect; while that fails for passing reasons, try again by itself, at growing intervals. */
  async open(): Promise<void> {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    try {
      const connection = await this.#options.connect(this.#options.settings);
      if (this.#isClosed) connection.close();
      else this.#attach(connection);
    } catch (error) {
      if (!this.#isClosed) this.#failed(error);
    }
  }

  tryAgain(): void {
    this.state.set({ phase: "opening" });
    void this.open();
  }

  select(roomId: string): void {
    if (this.#conversation?.roomId === roomId || !this.#connection) return;
    this.#show(roomId);
    this.#refresh();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#detach();
  }

  #attach(connection: Connection): void {
    this.#waitMs = FIRST_WAIT_MS;
    this.#connection = connection;
    this.#stopListening = [
      connection.rooms.subscribe(this.#refresh),
      connection.state.subscribe(this.#refresh),
    ];
    this.#refresh();
  }

  #detach(): void {
    for (const stop of this.#stopListening) stop();
    this.#stopListening = [];
    this.#conversation?.close();
    this.#conversation = null;
    this.#connection?.close();
    this.#connection = null;
  }

  #failed(error: unknown): void {
    const isPassing = !(error instanceof ChatError) || error.isPassing;
    const sentence = error instanceof ChatError ? error.message : words.cannotLoad;
    this.state.set({ phase: "failed", sentence, isTryingAgain: isPassing });
    if (!isPassing) return;
    const schedule = this.#options.schedule ?? afterTimeout;
    this.#cancelRetry = schedule(() => void this.open(), this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  readonly #refresh = (): void => {
    const connection = this.#connection;
    if (!connection) return;
    const state = connection.state.get();
    if (state.kind === "ended") {
      this.#detach();
      this.state.set({ phase: "ended", sentence: state.sentence });
    } else if (state.kind !== "starting") {
      this.#showOpen(connection, state.kind === "offline");
    }
  };

  #showOpen(connection: Connection, isOffline: boolean): void {
    const tenant = this.#tenant(connection);
    if (!tenant) {
      this.#detach();
      this.state.set({ phase: "failed", sentence: words.notAMember, isTryingAgain: false });
      return;
    }
    const room = this.#currentRoom(connection, tenant);
    this.state.set({
      phase: "open",
      tenant,
      isOffline,
      sections: sectionRooms(connection.rooms.get(), tenant.tenantId, room?.roomId ?? null),
      room,
      writing: writingIn(room, tenant),
      conversation: this.#conversation,
    });
  }

  #tenant(connection: Connection): Tenant | undefined {
    const { tenantId } = this.#options;
    const { tenants } = connection.person;
    return tenantId === null ? tenants[0] : tenants.find((tenant) => tenant.tenantId === tenantId);
  }

  /** Return the open room; when it is gone or none is open yet, open the first of the list. */
  #currentRoom(connection: Connection, tenant: Tenant): Room | null {
    const rooms = connection.rooms.get().filter((room) => room.tenantId === tenant.tenantId);
    const open = rooms.find((room) => room.roomId === this.#conversation?.roomId);
    if (open) return open;
    const first = firstRoom(sectionRooms(rooms, tenant.tenantId, null));
    this.#show(first?.roomId ?? null);
    return first;
  }

  #show(roomId: string | null): void {
    this.#conversation?.close();
    this.#conversation = null;
    if (roomId === null || !this.#connection) return;
    const conversation = this.#connection.openConversation(roomId);
    this.#conversation = new ConversationViewModel({ roomId, conversation, drafts: this.#drafts });
  }
}

function writingIn(room: Room | null, tenant: Tenant): Writing {
  if (tenant.role === "guest") return "guest";
  return room && !room.mayWrite ? "staff-only" : "allowed";
}

const afterTimeout: Schedule = (action, ms) => {
  const timer = setTimeout(action, ms);
  return () => {
    clearTimeout(timer);
  };
};
