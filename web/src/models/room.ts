/** A room as the list and the header show it. */

export type RoomType = "general" | "announcement" | "support" | "dm" | "ai" | "alliance" | "custom";

export interface Room {
  readonly roomId: string;
  readonly tenantId: string;
  /** The other side's tenant, in a room of an alliance. */
  readonly partnerTenantId: string | null;
  /** What the bridge calls the room inside its tenant. */
  readonly key: string;
  readonly type: RoomType;
  readonly name: string;
  readonly topic: string;
  /** The other one, in a direct chat. */
  readonly person: { readonly matrixId: string; readonly avatarUrl: string } | null;
  /** What the person has not read: messages, and those among them that call for them by name. */
  readonly unread: number;
  readonly highlights: number;
  /** False where the power levels keep this person from writing. */
  readonly mayWrite: boolean;
  /** When something was last said in a room for support, in milliseconds since 1970; 0 elsewhere. */
  readonly lastActivity: number;
  /** Names of the others who are typing now. */
  readonly typing: readonly string[];
}

/** Tell whether a room is a ticket's own, and not one that the tenant has for support at large. */
export function isTicketRoom(room: Room): boolean {
  return room.type === "support" && room.key.startsWith("ticket_");
}
