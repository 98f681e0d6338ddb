/** What the bridge does for the signed-in person beside Matrix: finding people, direct chats, tickets. */
import type { Role } from "./person";

export interface FoundPerson {
  readonly userId: string;
  readonly matrixId: string;
  readonly name: string;
  /** An `mxc://` address; empty for none. */
  readonly avatarUrl: string;
  readonly role: Role;
}

/** A room that was asked for; it shows in the list once it stands. */
export interface AskedRoom {
  readonly tenantId: string;
  readonly key: string;
}

export type Audience = "team" | "bitnexus";
export type TicketStatus = "open" | "waiting" | "closed";

export interface TicketWish {
  readonly subject: string;
  readonly body: string;
  readonly audience: Audience;
}

export interface Ticket {
  readonly ticketId: string;
  readonly number: number;
  readonly subject: string;
  readonly status: TicketStatus;
  readonly audience: Audience;
  readonly openerId: string;
  /** Who works on it, by the name that there is. */
  readonly assignee: string | null;
  readonly roomKey: string | null;
  readonly roomId: string | null;
  /** One to five, once the opener has said it. */
  readonly satisfaction: number | null;
}

export type TicketChange = { readonly status: TicketStatus } | { readonly satisfaction: number };

/** Each call raises ChatError, whose sentence is for the person. */
export interface Bridge {
  /** Return people by name, of whose names and ids the words of `query` begin a word. */
  searchPeople(tenantId: string, query: string): Promise<readonly FoundPerson[]>;
  openDirectChat(tenantId: string, userId: string): Promise<AskedRoom>;
  openTicket(tenantId: string, wish: TicketWish): Promise<AskedRoom>;
  listTickets(tenantId: string): Promise<readonly Ticket[]>;
  changeTicket(tenantId: string, ticketId: string, change: TicketChange): Promise<void>;
}
