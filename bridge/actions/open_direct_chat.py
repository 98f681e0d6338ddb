"""Open a direct chat between two people of a tenant; one that they have is found again."""

import hashlib
from dataclasses import dataclass, replace

from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.errors import Forbidden, InvalidInput, NotFound
from bridge.model.audit import Actor, AuditEntry
from bridge.model.change import Change
from bridge.model.ids import MemberID, RoomID, RoomKey, TenantID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Access, Room, RoomType, Tenant, TenantStatus
from bridge.policy.authority import member_of
from bridge.policy.reconcile import is_lost
from bridge.ports import Act, Database


def direct_chat_key(one: MemberID, other: MemberID) -> RoomKey:
    """Return the key of the direct chat of two people, whoever of them asks: different for every two pairs."""
    digest = hashlib.sha256("\0".join(sorted((one, other))).encode()).hexdigest()
    return RoomKey(f"dm_{digest[:48]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDirectChat:
    """Store that two people want a chat of their own; the worker makes it, or brings back who has left it."""

    database: Database
    house: MatrixHouse

    async def __call__(
        self, tenant_id: TenantID, other: MemberID, *, asker: MemberID
    ) -> tuple[RoomKey, RoomID | None, Change]:
        """Return its key, its id once it exists, and the job that makes it; raises as ``open_direct_chat``."""
        async with self.database.act(tenant_id, Actor.person(asker)) as act:
            await act.tenants.lock()
            key = await open_direct_chat(act, asker, other)
            change = await ask_for_reconcile(act, self.house)
            room_id = (await act.rooms.room_ids()).get(key)
        return key, room_id, change


async def open_direct_chat(act: Act, asker: MemberID, other: MemberID) -> RoomKey:
    """Store, in a transaction that holds the tenant, that two people want a chat, and return its key.

    Raises NotFound for a foreign tenant, and for a person who is not in it, is suspended or blocks: all the same, so
    that nobody learns which. Raises Forbidden where direct chats are switched off, InvalidInput for oneself.
    """
    if other == asker:
        raise InvalidInput("nobody has a direct chat with themselves", path="$.user_id")
    tenant = await _find(act, asker)
    await _refuse_absent(act, tenant, asker, other)
    key = direct_chat_key(asker, other)
    await _open(act, tenant, key, frozenset({asker, other}))
    return key


async def _find(act: Act, asker: MemberID) -> Tenant:
    tenant = await act.tenants.find()
    if tenant is None or member_of(tenant, asker) is None:
        raise NotFound("there is no such tenant")
    if tenant.status is not TenantStatus.ACTIVE:
        raise Forbidden("this tenant is not active")
    if not tenant.settings.dms:
        raise Forbidden("this tenant has switched direct chats off")
    return tenant


async def _refuse_absent(act: Act, tenant: Tenant, asker: MemberID, other: MemberID) -> None:
    found = member_of(tenant, other)
    if found is None or not found.active or await act.people.are_blocking(asker, other):
        raise NotFound("there is no such person to talk to in this tenant", path="$.user_id")


async def _open(act: Act, tenant: Tenant, key: RoomKey, pair: frozenset[MemberID]) -> None:
    present = next((room for room in tenant.rooms if room.key == key), None)
    standing = (await act.rooms.observed()).rooms.get(key) if present else None
    if standing is not None and is_lost(standing):
        await act.rooms.retire(standing.room_id)  # another one takes its place
    if present is not None and present.member_ids == pair and not present.archived:
        act.nothing_changed()
        return
    new = Room(key=key, type=RoomType.DM, name="", access=Access.INVITE, member_ids=pair, personal=True)
    await act.tenants.save_room(replace(present, member_ids=pair, archived=False) if present else new)
    revision = await act.tenants.bump_revision()
    await act.audit(AuditEntry(action="dm.opened", target=key, details={"revision": revision}))
