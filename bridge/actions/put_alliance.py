"""Propose an alliance, name it, and choose its people: each side its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.actions.hold_alliance import hold_speaker, no_such_alliance, take_step
from bridge.actions.hold_tenant import Administrator
from bridge.actions.watch_alliance import WatchAlliance
from bridge.errors import Conflict, NotFound
from bridge.model.alliance import Alliance, AllianceChange, AllianceWish
from bridge.model.audit import AuditEntry
from bridge.model.credential import SessionCredential
from bridge.model.ids import TenantID, alliance_key
from bridge.model.json import Json
from bridge.model.tenant import Tenant, TenantStatus
from bridge.policy.alliances import change, propose, refuse_bad_wish, speaker_of, takes_away
from bridge.policy.authority import member_of
from bridge.ports import Act, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAlliance:
    """Store what the backend wishes for both sides, or a person for one: each side in a transaction of its own.

    Everything is looked at before anything is stored. A process that dies between the two has answered nothing: the
    same wish again stores the rest.
    """

    database: Database
    watch: WatchAlliance

    async def __call__(self, wish: AllianceWish, *, credential: Administrator) -> AllianceChange:
        """Return the alliance as it now is; raises InvalidInput, NotFound, Forbidden or Conflict."""
        refuse_bad_wish(wish)
        changes = [
            await self._put_side(wish, tenant_id, credential) for tenant_id in await self._speakers(wish, credential)
        ]
        return await self.watch(changes[-1][1], asks=any(takes_away(before, after) for before, after in changes))

    async def _speakers(self, wish: AllianceWish, credential: Administrator) -> Sequence[TenantID]:
        if isinstance(credential, SessionCredential):
            return [speaker_of(wish)]
        sides = await self.database.sides_of_alliance(wish.alliance_id)
        if sides is not None and sides != (wish.owner_tenant_id, wish.partner_tenant_id):
            raise Conflict("the tenants of an alliance cannot change; a new alliance is a new id")
        for tenant_id, field in (
            (wish.owner_tenant_id, "owner_tenant_id"),
            (wish.partner_tenant_id, "partner_tenant_id"),
        ):
            await self._look_at_side(wish, tenant_id, f"$.{field}", is_new=sides is None)
        return [wish.owner_tenant_id, *(side for side in wish.members if side == wish.partner_tenant_id)]

    async def _look_at_side(self, wish: AllianceWish, tenant_id: TenantID, path: str, *, is_new: bool) -> None:
        async with self.database.work(tenant_id) as work:
            tenant, alliance = await work.tenants.find(), await work.alliances.find(wish.alliance_id)
        if tenant is None:
            raise NotFound("there is no such tenant", path=path)
        if is_new and tenant.status is not TenantStatus.ACTIVE:
            raise Conflict("an alliance is proposed to and by active tenants", path=path)
        _refuse_strangers(tenant, alliance, wish)

    async def _put_side(
        self, wish: AllianceWish, tenant_id: TenantID, credential: Administrator
    ) -> tuple[Alliance, Alliance]:
        """Store one side's wish and return the alliance as it was and as it is; a new one is as it is."""
        async with self.database.act(tenant_id, credential.actor) as act:
            tenant = await hold_speaker(act, credential)
            before = await act.alliances.hold(wish.alliance_id)
            if before is None and tenant_id != wish.owner_tenant_id:
                raise no_such_alliance()
            _refuse_strangers(tenant, before, wish)
            if before is None:
                proposed = await _propose(act, tenant, wish)
                return proposed, proposed
            after = change(before, wish, tenant_id)
            if after is before:
                act.nothing_changed()
            else:
                await _store(act, before, after, tenant_id)
        return before, after


async def _propose(act: Act, tenant: Tenant, wish: AllianceWish) -> Alliance:
    if tenant.status is not TenantStatus.ACTIVE:
        raise Conflict("an alliance is proposed to and by active tenants", path="$.owner_tenant_id")
    alliance = propose(wish)
    key = alliance_key(alliance.alliance_id)
    if any(room.key == key for room in tenant.rooms):
        raise Conflict(f"the tenant has a room with the key '{key}' already; give the alliance another id")
    if not await act.alliances.add(alliance):
        raise no_such_alliance()
    await act.alliances.choose(alliance.alliance_id, alliance.chosen_by(tenant.tenant_id))
    await take_step(act, alliance, "proposed", speaker=tenant.tenant_id)
    return alliance


async def _store(act: Act, before: Alliance, after: Alliance, tenant_id: TenantID) -> None:
    await act.alliances.save(after)
    await act.alliances.choose(after.alliance_id, after.chosen_by(tenant_id))
    details: dict[str, Json] = {
        "alliance_revision": after.revision,
        "is_renamed": after.name != before.name,
        "members": sorted(after.chosen_by(tenant_id)),
    }
    await act.audit(AuditEntry(action="alliance.changed", target=after.alliance_id, details=details))


def _refuse_strangers(tenant: Tenant, alliance: Alliance | None, wish: AllianceWish) -> None:
    """Refuse the whole wish when a side names somebody out of its tenant; who was chosen before may have left it."""
    chosen = alliance.chosen_by(tenant.tenant_id) if alliance else frozenset[str]()
    for index, member_id in enumerate(wish.members.get(tenant.tenant_id, ())):
        if member_id not in chosen and member_of(tenant, member_id) is None:
            path = f"$.members.{tenant.tenant_id}[{index}]"
            raise NotFound(f"there is no member '{member_id}' in this tenant", path=path)
