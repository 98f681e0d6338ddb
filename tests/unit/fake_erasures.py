"""Erasures in memory, as the port wants them."""

from dataclasses import replace

from bridge.model.erasure import ErasedContent, ErasedRoom, Erasure
from bridge.model.ids import MemberID, UserID
from bridge.model.tenant import Person
from tests.unit.fake_stores import Store


class FakeErasures(Store):
    async def begin(self, person: Person, receipt_id: str) -> Erasure:
        erasure = Erasure(
            receipt_id=receipt_id,
            member_id=person.member_id,
            user_id=person.user_id,
            state="running",
            step="leave",
            position="",
            rooms=(),
            counts={},
            asked_at=self._database.clock.now(),
            finished_at=None,
        )
        self._memory.erasures[receipt_id] = erasure
        return erasure

    async def find(self, member_id: MemberID) -> Erasure | None:
        found = [erasure for erasure in self._memory.erasures.values() if erasure.member_id == member_id]
        return found[-1] if found else None

    async def save(self, erasure: Erasure) -> None:
        finished_at = self._database.clock.now() if erasure.state == "done" else None
        self._memory.erasures[erasure.receipt_id] = replace(erasure, finished_at=finished_at)

    async def forget_person(self, member_id: MemberID) -> bool:
        if any(member_id in roles for roles in self._memory.memberships.values()):
            return False
        self._memory.people.pop(member_id, None)
        return True

    async def erase_content(self, member_id: MemberID, user_id: UserID) -> ErasedContent:
        said = [
            event_id
            for event_id, event in self._memory.messages.items()
            if event.sender == user_id and event.content and self._owner(event.room_id) == self._tenant_id
        ]
        for event_id in said:
            self._memory.messages[event_id] = replace(self._memory.messages[event_id], content={})
        tenant = self._memory.tenants.get(self._tenant_id)
        own = {room.key for room in tenant.rooms if room.personal and room.member_ids == {member_id}} if tenant else ()
        rooms = tuple(
            ErasedRoom(tenant_id=owner, room_id=room_id, whole=key in own)
            for room_id, (owner, key, _) in sorted(self._memory.rooms.items())
            if owner == self._tenant_id
        )
        return ErasedContent(rooms=rooms, counts={"messages": len(said)})

    def _owner(self, room_id: object) -> object:
        return next((owner for found, (owner, _, _) in self._memory.rooms.items() if found == room_id), None)
