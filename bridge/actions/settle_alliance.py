"""Bring what both sides of an alliance have said into the owner's room, and into the other side's own records."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.model.alliance import Alliance, AllianceStep, Settled
from bridge.model.audit import SYSTEM_ACTOR, AuditEntry
from bridge.model.ids import AllianceID, MemberID, TenantID, alliance_key
from bridge.model.json import Json
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Outsider, Person, Tenant, TenantStatus
from bridge.model.tenant_event import TenantEvent
from bridge.policy.alliances import room_of
from bridge.ports import Act, Database

NOWHERE = Settled(room_id=None, job_id=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleAlliance:
    """Do for the sides of an alliance what the transaction of the one that spoke could not do for the other.

    It goes by what is stored and can be done again and again: after each change at once, and once more by the task that
    was stored with the change, which is what counts when this process dies in between.
    """

    database: Database
    house: MatrixHouse

    async def __call__(self, alliance_id: AllianceID, *, asks: bool = False) -> Settled:
        """Return the room and the job that brings it about; ``asks`` wants a job whatever there is to do."""
        sides = await self.database.sides_of_alliance(alliance_id)
        if sides is None:
            return NOWHERE
        owner, partner = sides
        settled = await self._settle_owner(owner, alliance_id, asks=asks)
        await self._tell_partner(partner, alliance_id)
        return settled

    async def _settle_owner(self, owner: TenantID, alliance_id: AllianceID, *, asks: bool) -> Settled:
        async with self.database.act(owner, SYSTEM_ACTOR) as act:
            await act.tenants.lock()
            tenant, alliance = await act.tenants.find(), await act.alliances.find(alliance_id)
            if tenant is None or alliance is None:
                act.nothing_changed()
                return NOWHERE
            is_told = await tell(act, alliance)
            if tenant.status in {TenantStatus.REMOVING, TenantStatus.REMOVED}:
                is_changed = asks = False
            else:
                is_changed = await self._store_room(act, tenant, alliance)
            if not (is_told or is_changed):
                act.nothing_changed()
            change = await ask_for_reconcile(act, self.house)
            job_id = change.job_id
            if job_id is None and (asks or is_changed):
                # one that runs may be about to write what stood before: the next one is sure to come after it
                job_id = await act.jobs.enqueue(change.revision)
            room_id = (await act.rooms.room_ids()).get(alliance_key(alliance_id))
        return Settled(room_id=room_id, job_id=job_id)

    async def _store_room(self, act: Act, tenant: Tenant, alliance: Alliance) -> bool:
        key = alliance_key(alliance.alliance_id)
        present = next((room for room in tenant.rooms if room.key == key), None)
        room = room_of(alliance, await self._partners(act, alliance), present)
        if room == present:
            return False
        await act.tenants.save_room(room)
        details: dict[str, Json] = {
            "revision": await act.tenants.bump_revision(),
            "alliance_revision": alliance.revision,
            "state": alliance.state.value,
            "members": len(room.member_ids | {outsider.member_id for outsider in room.outsiders}),
        }
        await act.audit(AuditEntry(action="alliance.room_changed", target=alliance.alliance_id, details=details))
        return True

    async def _partners(self, act: Act, alliance: Alliance) -> Sequence[Outsider]:
        """Return those whom the partner has chosen and still has; read under the owner's lock, so the last is right."""
        partner = alliance.partner_tenant_id
        present = await self.database.present_members(partner, alliance.chosen_by(partner))
        people = await act.people.find_all(present)
        return [_outsider(member_id, person) for member_id, person in people.items()]

    async def _tell_partner(self, partner: TenantID, alliance_id: AllianceID) -> None:
        async with self.database.act(partner, SYSTEM_ACTOR) as act:
            await act.tenants.lock()
            alliance = await act.alliances.find(alliance_id)
            # a partner that is not there yet is told when it comes
            is_there = alliance is not None and await act.tenants.find() is not None
            if not (is_there and alliance is not None and await tell(act, alliance)):
                act.nothing_changed()


async def tell(act: Act, alliance: Alliance) -> bool:
    """Record what the other side did in the transaction's tenant, each step once; return whether there was any."""
    steps = await act.alliances.take_untold(alliance.alliance_id)
    await record_steps(act, alliance, steps)
    return bool(steps)


async def record_steps(act: Act, alliance: Alliance, steps: Sequence[AllianceStep]) -> None:
    """Write steps into the audit log and the events of the transaction's tenant: ids, no words."""
    for step in steps:
        details: dict[str, Json] = {
            "by_tenant_id": step.tenant_id,
            "owner_tenant_id": alliance.owner_tenant_id,
            "partner_tenant_id": alliance.partner_tenant_id,
            "alliance_revision": step.revision,
        }
        action = f"alliance.{step.step}"
        await act.audit(AuditEntry(action=action, target=alliance.alliance_id, details=details))
        await act.events.add(
            TenantEvent(
                type=action, subject=alliance.alliance_id, room_key=alliance_key(alliance.alliance_id), data=details
            )
        )


def _outsider(member_id: MemberID, person: Person) -> Outsider:
    return Outsider(
        member_id=member_id,
        user_id=person.user_id,
        display_name=person.display_name,
        active=person.active,
        avatar_url=person.avatar_url,
    )
