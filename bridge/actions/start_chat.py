"""Answer who starts a direct chat in their own client: we make it ourselves, and say where it is."""

from collections.abc import Collection
from dataclasses import dataclass

from bridge.actions.open_direct_chat import OpenDirectChat, direct_chat_key
from bridge.errors import Forbidden, NotFound
from bridge.model.ids import MemberID, TenantID, UserID
from bridge.model.tenant import TenantStatus
from bridge.policy.authority import member_of
from bridge.policy.start_chat import MORE_THAN_ONE, NOBODY, SharedTenant, decide_chat, only_invitee
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChat:
    """Open a chat in a tenant that both people share, or say why not; Synapse waits, so the worker makes the room."""

    database: Database
    open_direct_chat: OpenDirectChat

    async def __call__(self, user_id: UserID, invitees: Collection[UserID]) -> str:
        """Return the sentence that the person's client shows; a room is never made by the client itself."""
        invitee = only_invitee(user_id, invitees)
        if invitee is None:
            return MORE_THAN_ONE
        asker, other = [await self.database.person_of_user(found) for found in (user_id, invitee)]
        if asker is None or other is None:
            return NOBODY
        shared = await self._shared(asker.member_id, other.member_id)
        decision = decide_chat(shared, is_blocked=False, name=other.display_name)
        if decision.tenant_id is None:
            return decision.sentence
        try:
            await self.open_direct_chat(decision.tenant_id, other.member_id, asker=asker.member_id)
        except (NotFound, Forbidden):  # one of the two blocks, or something has changed this very moment
            return NOBODY
        return decision.sentence

    async def _shared(self, one: MemberID, other: MemberID) -> list[SharedTenant]:
        both = [{found.tenant_id for found in await self.database.tenants_of_person(who)} for who in (one, other)]
        looked_at = [await self._look(tenant_id, one, other) for tenant_id in sorted(both[0] & both[1])]
        return [found for found in looked_at if found is not None]

    async def _look(self, tenant_id: TenantID, one: MemberID, other: MemberID) -> SharedTenant | None:
        async with self.database.work(tenant_id) as work:
            tenant = await work.tenants.find()
        if tenant is None or tenant.status is not TenantStatus.ACTIVE:
            return None
        members = [member_of(tenant, who) for who in (one, other)]
        if any(member is None or not member.active for member in members):
            return None
        key = direct_chat_key(one, other)
        has_chat = any(room.key == key and not room.archived for room in tenant.rooms)
        return SharedTenant(tenant_id=tenant_id, dms=tenant.settings.dms, has_chat=has_chat)
