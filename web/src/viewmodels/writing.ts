/** Why the composer is or is not there. */
import type { Tenant } from "../models/person";
import type { Room } from "../models/room";
import { isClosedTicket } from "./room-list";
import { words } from "./words";

export type Writing = "allowed" | "guest" | "moderators-only" | "ticket-closed" | "over";

export function writingIn(room: Room | null, tenant: Tenant): Writing {
  if (tenant.role === "guest") return "guest";
  if (!room || room.mayWrite) return "allowed";
  if (isClosedTicket(room)) return "ticket-closed";
  return room.type === "dm" || room.type === "alliance" ? "over" : "moderators-only";
}

/** Return what stands in the composer's place. */
export function writingSentence(writing: Exclude<Writing, "allowed">): string {
  return {
    guest: words.guestsRead,
    "moderators-only": words.moderatorsWrite,
    "ticket-closed": words.ticketClosed,
    over: words.writingIsOver,
  }[writing];
}
