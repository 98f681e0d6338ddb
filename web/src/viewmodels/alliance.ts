/** What shows of the other tenant in a room of an alliance. */
import type { Person, Tenant } from "../models/person";
import type { Room } from "../models/room";
import type { SideOf } from "./timeline";

/** Return what the tenant on the other side of a room is called; null where there is none. */
export function sharedWith(room: Room | null, tenant: Tenant, person: Person): string | null {
  if (room?.type !== "alliance") return null;
  const other = room.tenantId === tenant.tenantId ? room.partnerTenantId : room.tenantId;
  return other === null ? null : tenantName(other, person);
}

/** Return how the other side's people are marked in a room: in one of an alliance, by their tenant. */
export function sideOf(room: Room | undefined, tenant: Tenant, person: Person): SideOf {
  if (room?.type !== "alliance") return () => null;
  return (tenantId) => (tenantId === tenant.tenantId ? null : tenantName(tenantId, person));
}

/** A tenant is called by its name to its own people; to others it is an id. */
function tenantName(tenantId: string, person: Person): string {
  return person.tenants.find((tenant) => tenant.tenantId === tenantId)?.name ?? tenantId;
}
