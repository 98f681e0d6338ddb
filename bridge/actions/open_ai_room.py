"""Give a person their own room with the assistant."""

import hashlib
from dataclasses import dataclass

from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.errors import Forbidden, NotFound
from bridge.model.audit import AuditEntry
from bridge.model.change import Change
from bridge.model.credential import SessionCredential
from bridge.model.ids import MemberID, RoomID, RoomKey, TenantID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Access, Room, RoomType, TenantStatus
from bridge.policy.authority import member_of
from bridge.ports import Database


def ai_room_key(member_id: MemberID, assistant_name: str) -> RoomKey:
    """Return the key of a person's room with an assistant: different for every two people, and within the grammar."""
    digest = hashlib.sha256(f"{assistant_name}\0{member_id}".encode()).hexdigest()
    return RoomKey(f"ai_{digest[:40]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiRoom:
    """Make the room on demand; asking again answers the same room."""

    database: Database
    house: MatrixHouse
    assistant_name: str

    async def __call__(
        self, tenant_id: TenantID, *, credential: SessionCredential
    ) -> tuple[RoomKey, RoomID | None, Change]:
        """Return its key, its id once it exists, and the job that makes it; raises NotFound for a foreign tenant."""
        async with self.database.act(tenant_id, credential.actor) as act:
            await act.tenants.lock()
            tenant = await act.tenants.find()
            if tenant is None or member_of(tenant, credential.member_id) is None:
                raise NotFound("there is no such tenant")
            if tenant.status is not TenantStatus.ACTIVE:
                raise Forbidden("this tenant is not active")
            if not tenant.settings.ai:
                raise Forbidden("this tenant has switched the assistant off")
            key = ai_room_key(credential.member_id, self.assistant_name)
            if any(room.key == key for room in tenant.rooms):
                act.nothing_changed()
            else:
                await act.tenants.save_room(self._room(key, credential.member_id))
                revision = await act.tenants.bump_revision()
                await act.audit(
                    AuditEntry(action="ai_room.opened", target=credential.member_id, details={"revision": revision})
                )
            change = await ask_for_reconcile(act, self.house)
            room_id = (await act.rooms.room_ids()).get(key)
        return key, room_id, change

    def _room(self, key: RoomKey, member_id: MemberID) -> Room:
        return Room(
            key=key,
            type=RoomType.AI,
            name=self.assistant_name,
            topic="",
            access=Access.INVITE,
            member_ids=frozenset({member_id}),
            personal=True,
        )
