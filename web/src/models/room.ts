/** A room as the list and the header show it. */

export type RoomType = "general" | "announcement" | "support" | "dm" | "ai" | "alliance" | "custom";

export interface Room {
  readonly roomId: string;
  readonly tenantId: string;
  readonly type: RoomType;
  readonly name: string;
  readonly topic: string;
  /** What the person has not read: messages, and those among them that call for them by name. */
  readonly unread: number;
  readonly highlights: number;
  /** False where the power levels keep this person from writing. */
  readonly mayWrite: boolean;
  /** Names of the others who are typing now. */
  readonly typing: readonly string[];
}
