"""Erase a person: out of every tenant, their account ended, what they said and are called taken away everywhere."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace

from bridge.actions.change_ticket import unassign_tickets
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.errors import Conflict, HomeserverRefused, NotFound
from bridge.model.audit import SYSTEM_ACTOR, Actor, AuditEntry
from bridge.model.erasure import ErasedRoom, Erasure, Step, TimelinePage
from bridge.model.ids import PLATFORM, MemberID, TenantID
from bridge.model.json import Json
from bridge.model.room import MatrixHouse
from bridge.model.tenant import RoomType
from bridge.policy.erasure import count, next_step
from bridge.policy.tickets import nameless
from bridge.ports import Act, Database, Entropy, Homeserver, Work

RECEIPT_PREFIX = "ers_"
TENANTS_AT_ONCE = 20
EVENTS_AT_ONCE = 50

_SAID, _MEMBERSHIPS = "s", "m"
"""What a position in a room begins with: which of its two lists is gone through; empty is where the first begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskForErasure:
    """Refuse a person everything at once, and have them erased; asked again it answers the same receipt."""

    database: Database
    entropy: Entropy

    async def __call__(self, member_id: MemberID, *, acting_user: Actor) -> Erasure:
        """Return the receipt; raises NotFound for somebody who never was."""
        async with self.database.act(PLATFORM, acting_user) as act:
            person = (await act.people.find_all([member_id])).get(member_id)
            earlier = await act.erasures.find(member_id)
            if earlier is not None and (person is None or earlier.state == "running"):
                act.nothing_changed()
                return earlier
            if person is None:
                raise NotFound("there is no such person")
            await act.people.save(replace(person, active=False))
            erasure = await act.erasures.begin(person, RECEIPT_PREFIX + self.entropy.token())
            await act.person_tasks.enqueue("erase", [member_id])
            details: dict[str, Json] = {"receipt_id": erasure.receipt_id}
            await act.audit(AuditEntry(action="person.erasure_asked", target=member_id, details=details))
        return erasure


async def refuse_erased(work: Work, member_id: MemberID) -> None:
    """Raise Conflict for somebody who is being erased: nothing of them is changed any more."""
    erasure = await work.erasures.find(member_id)
    if erasure is not None and erasure.state == "running":
        raise Conflict("this person is being erased; once that is done, the id is free for somebody new")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePerson:
    """Take an erasure a piece further; each piece can be done twice, and is recorded before the next begins."""

    database: Database
    homeserver: Homeserver
    house: MatrixHouse

    async def __call__(self, member_id: MemberID) -> bool:
        """Return whether it is done; raises DependencyDown, and then it goes on later."""
        async with self.database.work(PLATFORM) as work:
            erasure = await work.erasures.find(member_id)
        if erasure is None or erasure.state == "done":
            return True
        steps: Mapping[Step, Callable[[Erasure], Coroutine[None, None, Erasure]]] = {
            "leave": self._leave,
            "content": self._erase_content,
            "account": self._end_account,
            "redact": self._redact,
        }
        if erasure.step == "finish":
            return await self._finish(erasure)
        await self._save(await steps[erasure.step](erasure))
        return False

    async def _save(self, erasure: Erasure) -> None:
        async with self.database.work(PLATFORM) as work:
            await work.erasures.save(erasure)

    async def _leave(self, erasure: Erasure) -> Erasure:
        """End every membership, and archive the rooms that were the person's own."""
        for tenant_id in await self.database.tenant_ids_of_person(erasure.member_id):
            async with self.database.act(tenant_id, SYSTEM_ACTOR) as act:
                await act.tenants.lock()
                await self._leave_tenant(act, erasure.member_id)
                await ask_for_reconcile(act, self.house)
        return next_step(erasure)

    async def _leave_tenant(self, act: Act, member_id: MemberID) -> None:
        tenant = await act.tenants.find()
        for room in tenant.rooms if tenant else ():
            # what somebody is alone in for the owner's side of an alliance is not theirs: others have spoken there
            is_shared = room.type is RoomType.ALLIANCE
            if room.personal and not is_shared and room.member_ids == frozenset({member_id}):
                await act.tenants.save_room(replace(room, archived=True, name=nameless(room)))
        await act.tickets.forget_words(member_id)
        await unassign_tickets(act, [member_id])
        await act.tenants.remove_members([member_id])
        details: dict[str, Json] = {"revision": await act.tenants.bump_revision(), "erased": True}
        await act.audit(AuditEntry(action="member.removed", target=member_id, details=details))

    async def _erase_content(self, erasure: Erasure) -> Erasure:
        """Empty the tables of the next tenants, and note the rooms in which Matrix still has something."""
        # the platform has no rooms, but an audit log; its id comes before every tenant's
        tenant_ids = await self._tenants(TenantID(erasure.position)) if erasure.position else [PLATFORM]
        for tenant_id in tenant_ids:
            erasure, rooms = await self._erase_in(tenant_id, erasure)
            erasure = replace(erasure, rooms=(*erasure.rooms, *rooms), position=tenant_id)
        return erasure if tenant_ids else next_step(erasure)

    async def _tenants(self, after: TenantID) -> list[TenantID]:
        found = await self.database.list_tenants(after=after, limit=TENANTS_AT_ONCE)
        return [tenant.tenant_id for tenant in found]

    async def _erase_in(self, tenant_id: TenantID, erasure: Erasure) -> tuple[Erasure, tuple[ErasedRoom, ...]]:
        async with self.database.work(tenant_id) as work:
            content = await work.erasures.erase_content(erasure.member_id, erasure.user_id)
        return count(erasure, content.counts), content.rooms

    async def _end_account(self, erasure: Erasure) -> Erasure:
        for standing in await self.database.standings([erasure.member_id]):
            if standing.is_registered:
                await self.homeserver.deactivate(standing.user_id)
                erasure = count(erasure, {"accounts": 1})
        return next_step(erasure)

    async def _redact(self, erasure: Erasure) -> Erasure:
        """Redact the next events of the first room that is left."""
        if not erasure.rooms:
            return next_step(erasure)
        room = erasure.rooms[0]
        try:
            page = await self._page(room, erasure)
            for event_id in page.event_ids:
                await self.homeserver.redact(room.room_id, event_id)
        except HomeserverRefused:
            return replace(count(erasure, {"rooms_refused": 1}), rooms=erasure.rooms[1:], position="")
        erasure = count(erasure, {"redacted": len(page.event_ids)})
        if page.next_position is not None:
            return replace(erasure, position=(erasure.position[:1] or _SAID) + page.next_position)
        if not erasure.position.startswith(_MEMBERSHIPS):
            return replace(erasure, position=_MEMBERSHIPS)
        # what was under way to us when its tables were emptied has come by now
        erasure, _ = await self._erase_in(room.tenant_id, erasure)
        return replace(erasure, rooms=erasure.rooms[1:], position="")

    async def _page(self, room: ErasedRoom, erasure: Erasure) -> TimelinePage:
        """Return the next piece of a room: first what was said, then memberships, which others may have set.

        Each has the person's name, and Synapse shows it beside the membership that came after.
        """
        position = erasure.position[1:] or None
        if erasure.position.startswith(_MEMBERSHIPS):
            return await self.homeserver.memberships(
                room.room_id, erasure.user_id, position=position, limit=EVENTS_AT_ONCE
            )
        sender = None if room.whole else erasure.user_id
        return await self.homeserver.timeline(room.room_id, sender=sender, position=position, limit=EVENTS_AT_ONCE)

    async def _finish(self, erasure: Erasure) -> bool:
        async with self.database.act(PLATFORM, SYSTEM_ACTOR) as act:
            if not await act.erasures.forget_person(erasure.member_id):
                await act.erasures.save(next_step(erasure))
                act.nothing_changed()
                return False
            await act.erasures.save(replace(erasure, state="done"))
            details: dict[str, Json] = {"receipt_id": erasure.receipt_id, **erasure.counts}
            await act.audit(AuditEntry(action="person.erased", target=erasure.member_id, details=details))
        return True
