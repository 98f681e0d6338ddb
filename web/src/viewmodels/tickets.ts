/** The tickets of one tenant that the person may see, kept up with what happens in their rooms. */
import type { Bridge, Ticket, TicketChange } from "../models/bridge";
import { Cell } from "../models/cell";
import { isTicketRoom, type Room } from "../models/room";
import { troubleSentence } from "./new-message";

export class TicketsViewModel {
  readonly list = new Cell<readonly Ticket[]>([]);
  /** Why the last change was refused; empty while none was. */
  readonly trouble = new Cell("");
  readonly #bridge: Bridge;
  readonly #tenantId: string;
  #seen = "";
  #loading: Promise<void> | null = null;
  #isStale = false;

  constructor(bridge: Bridge, tenantId: string) {
    this.#bridge = bridge;
    this.#tenantId = tenantId;
  }

  /** Ask anew when rooms of tickets came, went, were closed, or something was said in them. */
  follow(rooms: readonly Room[]): void {
    const now = rooms
      .filter(isTicketRoom)
      .map((room) => [room.roomId, room.mayWrite, room.lastActivity].join(" "))
      .sort()
      .join("\n");
    if (now === this.#seen) return;
    this.#seen = now;
    void this.reload();
  }

  ticketOf(room: Room | null): Ticket | null {
    if (!room || !isTicketRoom(room)) return null;
    return (
      this.list.get().find((ticket) => ticket.roomId === room.roomId || ticket.roomKey === room.key) ?? null
    );
  }

  async change(ticketId: string, change: TicketChange): Promise<void> {
    this.trouble.set("");
    try {
      await this.#bridge.changeTicket(this.#tenantId, ticketId, change);
      await this.reload();
    } catch (error) {
      this.trouble.set(troubleSentence(error));
    }
  }

  /** Load the list; whoever asks while it loads gets it loaded once more. */
  reload(): Promise<void> {
    this.#isStale = true;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #load(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        this.list.set(await this.#bridge.listTickets(this.#tenantId));
      } catch {
        return; // what is known stays, and the next news asks again
      }
    }
  }
}
