/** The whole panel: opens the connection, keeps the list, and holds the room that is open. */
import type { AskedRoom, Ticket } from "../models/bridge";
import { Cell } from "../models/cell";
import type { Connect, Connection, HostSettings } from "../models/connection";
import { ChatError } from "../models/errors";
import type { Tenant } from "../models/person";
import type { Room } from "../models/room";
import { sharedWith, sideOf } from "./alliance";
import { ConversationViewModel, type Drafts } from "./conversation";
import { NewMessageViewModel } from "./new-message";
import { NewTicketViewModel } from "./new-ticket";
import { firstRoom, type ListOptions, type RoomSection, roomsOf, sectionRooms } from "./room-list";
import { afterTimeout, type Schedule } from "./schedule";
import { TicketsViewModel } from "./tickets";
import { words } from "./words";
import { type Writing, writingIn } from "./writing";

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
  /** The room that a dialog led to last; another object each time. */
  readonly broughtTo: { readonly roomId: string } | null;
  /** The ticket that the open room is the room of. */
  readonly ticket: Ticket | null;
  /** Whether the person is the one who may say how content they are with it. */
  readonly isOwnTicket: boolean;
  /** The name of the other tenant, in a room of an alliance. */
  readonly sharedWith: string | null;
}

/** What is open above the panel. */
export type Dialog =
  | { readonly kind: "message"; readonly model: NewMessageViewModel }
  | { readonly kind: "ticket"; readonly model: NewTicketViewModel };

export interface ChatOptions {
  readonly connect: Connect;
  readonly settings: HostSettings;
  /** Whose rooms are shown; the person's first tenant when null. */
  readonly tenantId: string | null;
  readonly schedule?: Schedule;
}

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30_000;
const ROOM_COMES_WITHIN_MS = 30_000;

/** A room that was asked for and is not in the list yet. */
interface Awaited extends AskedRoom {
  readonly settle: (hasCome: boolean) => void;
}

export class ChatViewModel {
  readonly state = new Cell<ChatState>({ phase: "opening" });
  readonly dialog = new Cell<Dialog | null>(null);
  readonly #options: ChatOptions;
  readonly #drafts: Drafts = new Map();
  #connection: Connection | null = null;
  #conversation: ConversationViewModel | null = null;
  #tickets: TicketsViewModel | null = null;
  #awaited: Awaited | null = null;
  #broughtTo: { readonly roomId: string } | null = null;
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

  /** Open the dialog that a section's button is for. */
  begin(what: "message" | "ticket"): void {
    const connection = this.#connection;
    const tenant = connection && this.#tenant(connection);
    if (!connection || !tenant) return;
    this.closeDialog();
    const options = {
      bridge: connection.bridge,
      tenantId: tenant.tenantId,
      goTo: this.#goTo,
      onDone: this.closeDialog,
      schedule: this.#schedule,
    };
    this.dialog.set(
      what === "message"
        ? { kind: "message", model: new NewMessageViewModel(options) }
        : { kind: "ticket", model: new NewTicketViewModel(options) },
    );
  }

  readonly closeDialog = (): void => {
    const dialog = this.dialog.get();
    if (dialog?.kind === "message") dialog.model.close();
    this.#awaited?.settle(false);
    this.dialog.set(null);
  };

  /** Return a picture's address for the page, null when there is none. */
  loadPicture(avatarUrl: string): Promise<string | null> {
    return this.#connection?.loadPicture(avatarUrl) ?? Promise.resolve(null);
  }

  /** The tickets of the tenant, once the chat is open. */
  get tickets(): TicketsViewModel | null {
    return this.#tickets;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#detach();
  }

  get #schedule(): Schedule {
    return this.#options.schedule ?? afterTimeout;
  }

  /** Wait for a room to stand, and go there; what was waited for before is given up. */
  readonly #goTo = (asked: AskedRoom): Promise<boolean> =>
    new Promise((resolve) => {
      this.#awaited?.settle(false);
      const cancelDeadline = this.#schedule(() => {
        this.#awaited?.settle(false);
      }, ROOM_COMES_WITHIN_MS);
      this.#awaited = {
        ...asked,
        settle: (hasCome): void => {
          cancelDeadline();
          this.#awaited = null;
          resolve(hasCome);
        },
      };
      this.#refresh();
    });

  #attach(connection: Connection): void {
    this.#waitMs = FIRST_WAIT_MS;
    this.#connection = connection;
    const tenant = this.#tenant(connection);
    this.#tickets = tenant ? new TicketsViewModel(connection.bridge, tenant.tenantId) : null;
    this.#stopListening = [
      connection.rooms.subscribe(this.#refresh),
      connection.state.subscribe(this.#refresh),
      ...(this.#tickets ? [this.#tickets.list.subscribe(this.#refresh)] : []),
    ];
    this.#refresh();
  }

  #detach(): void {
    this.closeDialog();
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
    this.#cancelRetry = this.#schedule(() => void this.open(), this.#waitMs);
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
    const rooms = connection.rooms.get();
    this.#tickets?.follow(roomsOf(rooms, tenant.tenantId));
    this.#showAwaited(rooms);
    const room = this.#currentRoom(connection, tenant);
    const ticket = this.#tickets?.ticketOf(room) ?? null;
    this.state.set({
      phase: "open",
      tenant,
      isOffline,
      sections: sectionRooms(rooms, listOptions(tenant, room?.roomId ?? null)),
      room,
      writing: writingIn(room, tenant),
      conversation: this.#conversation,
      broughtTo: this.#broughtTo,
      ticket,
      isOwnTicket: ticket?.openerId === connection.person.userId,
      sharedWith: sharedWith(room, tenant, connection.person),
    });
  }

  /** Go to the room that was asked for, if it is there by now. */
  #showAwaited(rooms: readonly Room[]): void {
    const awaited = this.#awaited;
    if (!awaited) return;
    const come = rooms.find((room) => room.tenantId === awaited.tenantId && room.key === awaited.key);
    if (!come) return;
    if (this.#conversation?.roomId !== come.roomId) this.#show(come.roomId);
    this.#broughtTo = { roomId: come.roomId };
    awaited.settle(true);
  }

  #tenant(connection: Connection): Tenant | undefined {
    const { tenantId } = this.#options;
    const { tenants } = connection.person;
    return tenantId === null ? tenants[0] : tenants.find((tenant) => tenant.tenantId === tenantId);
  }

  /** Return the open room; when it is gone or none is open yet, open the first of the list. */
  #currentRoom(connection: Connection, tenant: Tenant): Room | null {
    const rooms = roomsOf(connection.rooms.get(), tenant.tenantId);
    const open = rooms.find((room) => room.roomId === this.#conversation?.roomId);
    if (open) return open;
    const first = firstRoom(sectionRooms(rooms, listOptions(tenant, null)));
    this.#show(first?.roomId ?? null);
    return first;
  }

  #show(roomId: string | null): void {
    this.#conversation?.close();
    this.#conversation = null;
    const connection = this.#connection;
    const tenant = connection && this.#tenant(connection);
    if (roomId === null || !tenant) return;
    const room = connection.rooms.get().find((found) => found.roomId === roomId);
    this.#conversation = new ConversationViewModel({
      roomId,
      conversation: connection.openConversation(roomId),
      drafts: this.#drafts,
      sideOf: sideOf(room, tenant, connection.person),
    });
  }
}

function listOptions(tenant: Tenant, openRoomId: string | null): ListOptions {
  return { tenantId: tenant.tenantId, openRoomId, isGuest: tenant.role === "guest" };
}
