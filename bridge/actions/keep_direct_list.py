"""Keep a person's list of direct chats right: 'm.direct' in their account data, by which clients tell them apart."""

from dataclasses import dataclass

from bridge.model.ids import PLATFORM, MemberID, RoomID, UserID
from bridge.model.json import same_json
from bridge.model.room import DirectChat
from bridge.policy.direct_list import merge_direct_list
from bridge.ports import Database, Homeserver

_DIRECT = "m.direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepDirectList:
    """Read, merge, write; a list that is right already is not written."""

    database: Database
    homeserver: Homeserver

    async def __call__(self, member_id: MemberID) -> None:
        """Do it once; raises DependencyDown, and then it is tried again. A person who is gone needs nothing."""
        async with self.database.work(PLATFORM) as work:
            person = await work.people.find(member_id)
        if person is None:
            return
        found = await self._chats(member_id, person.user_id)
        chats: dict[UserID, list[RoomID]] = {}
        for chat in found:
            if chat.is_inside:
                chats.setdefault(chat.other, []).append(chat.room_id)
        content = await self.homeserver.account_data(person.user_id, _DIRECT)
        merged = merge_direct_list(content, chats, [chat.room_id for chat in found])
        if not same_json(merged, content):
            await self.homeserver.set_account_data(person.user_id, _DIRECT, merged)

    async def _chats(self, member_id: MemberID, user_id: UserID) -> list[DirectChat]:
        found: list[DirectChat] = []
        for tenant_id in await self.database.tenant_ids_of_person(member_id):
            async with self.database.work(tenant_id) as work:
                found += await work.rooms.direct_chats(user_id)
        return found
