"""An erasure: refused at once, piece by piece to the end whatever interrupts it, and a receipt of what was done."""

from dataclasses import replace

import pytest

from bridge.actions.erase_person import EVENTS_AT_ONCE, AskForErasure, ErasePerson
from bridge.errors import Conflict, DependencyDown, NotFound
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.erasure import Erasure
from bridge.model.event import MatrixEvent
from bridge.model.ids import PLATFORM, EventID, MemberID, RoomKey
from bridge.model.tenant import Access, Role, Room, RoomType
from tests.unit.fake_edges import AWAY, FakeEntropy, FakeHomeserver, refusal
from tests.unit.fakes import FakeDatabase
from tests.unit.house import House
from tests.unit.people import ACME, GENERAL, GLOBEX, HOUSE, member, room_id, tenant_of, user

BEN = MemberID("ben")
OWN = RoomKey("ai_ben")
OWN_ROOM = Room(
    key=OWN, type=RoomType.AI, name="NexusHub", access=Access.INVITE, member_ids=frozenset({BEN}), personal=True
)


class Site:
    """Ben is in Acme, where he has a room of his own, and in Globex; he has said something in both."""

    def __init__(self) -> None:
        self.database, self.homeserver = FakeDatabase(), FakeHomeserver()
        acme = tenant_of(member("ann", "owner"), member("ben"))
        self.database.put_tenant(replace(acme, rooms=(*acme.rooms, OWN_ROOM)))
        self.database.put_tenant(tenant_of(member("ben", "owner"), tenant_id=GLOBEX))
        self.database.memory.registered.add(user("ben"))
        for tenant_id, key in ((ACME, GENERAL), (ACME, OWN), (GLOBEX, GENERAL)):
            self.say(tenant_id, key, "ben", 2)
            self.say(tenant_id, key, "@bitnexus_nexushub", 1)
        self.ask = AskForErasure(database=self.database, entropy=FakeEntropy())
        self.erase = ErasePerson(database=self.database, homeserver=self.homeserver, house=HOUSE)

    def say(self, tenant_id: str, key: RoomKey, name: str, times: int) -> None:
        room = room_id(key, tenant_id)  # type: ignore[arg-type]
        self.database.put_room(tenant_id, room, key)  # type: ignore[arg-type]
        for number in range(times):
            event_id = EventID(f"${room}{name}{number}")
            self.homeserver.timelines.setdefault(room, []).append((event_id, user(name)))
            self.database.memory.messages[event_id] = MatrixEvent(
                event_id=event_id,
                room_id=room,
                event_type="m.room.message",
                sender=user(name),
                content={"body": "words"},
                origin_server_ts=1,
            )

    async def ask_for(self) -> Erasure:
        return await self.ask(BEN, acting_user=PLATFORM_ACTOR)

    async def finish(self) -> Erasure:
        for _ in range(50):
            if await self.erase(BEN):
                return await self.ask_for()
        raise AssertionError("it does not end")


async def test_whoever_is_to_be_erased_may_use_nothing_from_then_on() -> None:
    site = Site()
    receipt = await site.ask_for()
    assert receipt.receipt_id.startswith("ers_")
    assert not site.database.memory.people[BEN].active
    assert [task.kind for _, task in site.database.memory.person_tasks] == ["standing", "standing", "log_out", "erase"]
    assert [(tenant_id, entry.action) for tenant_id, _, entry in site.database.memory.audit] == [
        (PLATFORM, "person.erasure_asked")
    ]


async def test_everything_of_the_person_is_gone_afterwards() -> None:
    site = Site()
    first = await site.ask_for()
    receipt = await site.finish()
    assert (receipt.receipt_id, receipt.state) == (first.receipt_id, "done")
    assert receipt.finished_at is not None
    memory = site.database.memory
    assert BEN not in memory.people
    assert all(BEN not in roles for roles in memory.memberships.values())
    assert {event.content.get("body") for event in memory.messages.values() if event.sender == user("ben")} == {None}
    assert site.homeserver.deactivated == [user("ben")]
    assert [room.archived for room in memory.tenants[ACME].rooms if room.key == OWN] == [True]
    assert dict(receipt.counts) == {"accounts": 1, "messages": 6, "redacted": 7}


async def test_of_a_shared_room_only_what_the_person_said_is_redacted_and_of_their_own_everything() -> None:
    site = Site()
    await site.ask_for()
    await site.finish()
    redacted = {event_id for _, event_id in site.homeserver.redacted}
    own, general = room_id(OWN), room_id(GENERAL)
    said = {room: {event_id for event_id, _ in site.homeserver.timelines[room]} for room in (own, general)}
    assert said[own] <= redacted
    assert said[general] - redacted == {EventID(f"${general}@bitnexus_nexushub0")}


async def test_asked_again_it_answers_the_same_receipt_before_and_after() -> None:
    site = Site()
    first = await site.ask_for()
    assert (await site.ask_for()).receipt_id == first.receipt_id
    assert sum(task.kind == "erase" for _, task in site.database.memory.person_tasks) == 1
    assert (await site.finish()).receipt_id == first.receipt_id


async def test_somebody_who_never_was_is_404() -> None:
    with pytest.raises(NotFound):
        await Site().ask(MemberID("nobody"), acting_user=PLATFORM_ACTOR)


async def test_the_id_is_free_for_somebody_new_afterwards() -> None:
    site = Site()
    first = await site.ask_for()
    await site.finish()
    site.database.put_tenant(tenant_of(member("ben")))
    second = await site.ask_for()
    assert second.receipt_id != first.receipt_id
    assert second.state == "running"


@pytest.mark.parametrize("act", ["deactivate", "timeline", "redact"])
async def test_while_synapse_is_away_it_waits_and_then_goes_on_where_it_was(act: str) -> None:
    site = Site()
    await site.ask_for()
    site.homeserver.fail(act, AWAY)
    with pytest.raises(DependencyDown):
        await site.finish()
    receipt = await site.finish()
    assert receipt.state == "done"
    assert set(site.homeserver.redacted) == {
        (room, event_id)
        for room, said in site.homeserver.timelines.items()
        for event_id, who in said
        if who == user("ben") or room == room_id(OWN)
    }


async def test_a_long_timeline_is_gone_through_piece_by_piece() -> None:
    site = Site()
    site.say(ACME, GENERAL, "ben", EVENTS_AT_ONCE * 2 + 5)
    await site.ask_for()
    await site.finish()
    general = room_id(GENERAL)
    ben = {event_id for event_id, who in site.homeserver.timelines[general] if who == user("ben")}
    assert {event_id for room, event_id in site.homeserver.redacted if room == general} == ben


async def test_memberships_are_redacted_too_whoever_has_set_them() -> None:
    site = Site()
    general = room_id(GENERAL)
    events = [EventID(f"$membership{number}") for number in range(3)]
    site.homeserver.membership_events[general, user("ben")] = events
    await site.ask_for()
    receipt = await site.finish()
    assert {(general, event_id) for event_id in events} <= set(site.homeserver.redacted)
    assert receipt.counts["redacted"] == 7 + 3


async def test_a_room_that_cannot_be_read_is_counted_and_stops_nothing() -> None:
    site = Site()
    await site.ask_for()
    site.homeserver.fail("timeline", refusal())
    receipt = await site.finish()
    assert receipt.counts["rooms_refused"] == 1
    assert receipt.state == "done"


async def test_whom_a_tenant_takes_in_again_meanwhile_is_taken_out_again() -> None:
    site = Site()
    await site.ask_for()
    for _ in range(3):
        await site.erase(BEN)
    site.database.memory.memberships[GLOBEX][BEN] = Role.MEMBER
    assert (await site.finish()).state == "done"
    assert BEN not in site.database.memory.memberships[GLOBEX]


async def test_nobody_activates_a_person_who_is_being_erased() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    actions = house.actions()
    await actions.ask_for_erasure(BEN, acting_user=PLATFORM_ACTOR)
    with pytest.raises(Conflict):
        await actions.put_person(BEN, display_name=None, super_admin=None, active=True, acting_user=PLATFORM_ACTOR)
    assert not house.database.memory.people[BEN].active
