"""Show alliances: to the backend, and to the owners and admins of their two sides."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.actions.hold_alliance import no_such_alliance
from bridge.actions.hold_tenant import Administrator, find_administered
from bridge.model.alliance import Alliance
from bridge.model.credential import SessionCredential
from bridge.model.ids import AllianceID, RoomID, TenantID, alliance_key
from bridge.policy.authority import may_administer
from bridge.ports import Database

Shown = tuple[Alliance, RoomID | None]
"""An alliance, and its room once it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowAlliance:
    """Return an alliance; to whoever administers neither side it is not there."""

    database: Database

    async def __call__(self, alliance_id: AllianceID, *, credential: Administrator) -> Shown:
        """Return the alliance and its room; raises NotFound."""
        for tenant_id in await self._sides(alliance_id, credential):
            async with self.database.work(tenant_id) as work:
                alliance = await work.alliances.find(alliance_id)
            if alliance is not None:
                return alliance, await room_id_of(self.database, alliance)
        raise no_such_alliance()

    async def _sides(self, alliance_id: AllianceID, credential: Administrator) -> Sequence[TenantID]:
        if not isinstance(credential, SessionCredential):
            return await self.database.sides_of_alliance(alliance_id) or ()
        found = await self.database.tenants_of_person(credential.member_id)
        return [tenant.tenant_id for tenant in found if may_administer(tenant.role)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAlliances:
    """Return the alliances of a tenant, page by page."""

    database: Database

    async def __call__(
        self, tenant_id: TenantID, *, after: AllianceID | None, limit: int, credential: Administrator
    ) -> Sequence[Shown]:
        """Return up to ``limit`` alliances behind ``after``; raises NotFound or Forbidden."""
        async with self.database.work(tenant_id) as work:
            await find_administered(work, credential)
            found = await work.alliances.list_after(after, limit=limit)
        return [(alliance, await room_id_of(self.database, alliance)) for alliance in found]


async def room_id_of(database: Database, alliance: Alliance) -> RoomID | None:
    """Return the Matrix id of an alliance's room, which is among the owner's rooms; None until it stands."""
    async with database.work(alliance.owner_tenant_id) as work:
        return (await work.rooms.room_ids()).get(alliance_key(alliance.alliance_id))
