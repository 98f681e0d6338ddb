/** Who is signed in, and the tenants that they belong to. */

export type Role = "owner" | "admin" | "moderator" | "member" | "guest";

export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
  readonly role: Role;
  readonly spaceId: string;
}

export interface Person {
  readonly userId: string;
  readonly matrixId: string;
  readonly tenants: readonly Tenant[];
}
