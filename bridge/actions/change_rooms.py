"""Add, change and archive one room of a tenant, as the backend or as an owner or admin of it."""

from dataclasses import dataclass, replace

from bridge.actions.hold_tenant import Administrator, hold_administered_tenant
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.errors import NotFound
from bridge.model.audit import AuditEntry
from bridge.model.change import Change, RoomWish
from bridge.model.credential import SessionCredential
from bridge.model.ids import MemberID, RoomKey, TenantID
from bridge.model.json import Json
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Room, Tenant
from bridge.policy.authority import member_of
from bridge.policy.desired import add_room, change_room, open_room
from bridge.ports import Act, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoom:
    """Add a room, or open an archived one again with its history; the same once more changes nothing."""

    database: Database
    house: MatrixHouse

    async def __call__(self, tenant_id: TenantID, room: Room, *, credential: Administrator) -> Change:
        """Return the revision and the job; raises NotFound, Forbidden, InvalidInput or Conflict."""
        async with self.database.act(tenant_id, credential.actor) as act:
            tenant, _ = await hold_administered_tenant(act, credential)
            _refuse_strangers(tenant, sorted(room.member_ids), credential)
            await _store(act, tenant, add_room(tenant, room), action="room.added")
            return await ask_for_reconcile(act, self.house)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRoom:
    """Change what a wish names of a room."""

    database: Database
    house: MatrixHouse

    async def __call__(self, tenant_id: TenantID, key: RoomKey, wish: RoomWish, *, credential: Administrator) -> Change:
        """Return the revision and the job; raises NotFound, Forbidden or InvalidInput."""
        async with self.database.act(tenant_id, credential.actor) as act:
            tenant, _ = await hold_administered_tenant(act, credential)
            changed = change_room(tenant, key, wish)
            _refuse_strangers(tenant, sorted(wish.member_ids or ()), credential)
            await _store(act, tenant, changed, action="room.changed")
            return await ask_for_reconcile(act, self.house)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRoom:
    """Empty and unlink a room; its history stays, and adding it again brings it back."""

    database: Database
    house: MatrixHouse

    async def __call__(self, tenant_id: TenantID, key: RoomKey, *, credential: Administrator) -> Change:
        """Return the revision and the job; raises NotFound or Forbidden."""
        async with self.database.act(tenant_id, credential.actor) as act:
            tenant, _ = await hold_administered_tenant(act, credential)
            await _store(act, tenant, replace(open_room(tenant, key), archived=True), action="room.archived")
            return await ask_for_reconcile(act, self.house)


async def _store(act: Act, tenant: Tenant, room: Room, *, action: str) -> None:
    if room in tenant.rooms:
        act.nothing_changed()
        return
    await act.tenants.save_room(room)
    revision = await act.tenants.bump_revision()
    details: dict[str, Json] = {
        "revision": revision,
        "type": room.type.value,
        "access": room.access.value,
        "members": sorted(room.member_ids),
    }
    await act.audit(AuditEntry(action=action, target=room.key, details=details))


def _refuse_strangers(tenant: Tenant, member_ids: list[MemberID], credential: Administrator) -> None:
    """Refuse the whole request when a person's list names somebody out of the tenant, whether they exist or not.

    The backend may list people before it makes them members.
    """
    if not isinstance(credential, SessionCredential):
        return
    for member_id in member_ids:
        if member_of(tenant, member_id) is None:
            raise NotFound(f"there is no member '{member_id}' in this tenant", path="$.members")
