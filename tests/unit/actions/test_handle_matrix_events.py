"""The inbox: each event is taken in once and in order, and one that is poison holds up nothing."""

from dataclasses import replace

import pytest

from bridge.actions.handle_matrix_events import BATCH, HandleMatrixEvents
from bridge.errors import Conflict, DependencyDown, InvalidInput
from bridge.model.event import MatrixEvent, Outgoing, Receipt, Sent
from bridge.model.ids import SPACE, DeliveryID, EventID, RoomID, RoomKey, UserID
from bridge.model.tenant import Access, Room, RoomType
from tests.unit.fakes import FakeDatabase
from tests.unit.people import ACME, BOTS, GENERAL, GLOBEX, HOUSE, member, room_id, tenant_of, user

OWN = RoomKey("ai_ben")
ROOMS = (
    Room(key=GENERAL, type=RoomType.GENERAL, name="General"),
    Room(key=OWN, type=RoomType.AI, name="NexusHub", access=Access.INVITE, personal=True),
)


def message(number: int, body: str = "Hello", *, room: str = GENERAL, **more: object) -> MatrixEvent:
    event = MatrixEvent(
        event_id=EventID(f"${number}"),
        room_id=room_id(room),
        event_type="m.room.message",
        sender=user("ben"),
        content={"msgtype": "m.text", "body": body},
        origin_server_ts=number,
    )
    return replace(event, **more)


def state(number: int, event_type: str, content: dict[str, object], state_key: str = "", **more: object) -> MatrixEvent:
    return message(number, event_type=event_type, content=content, state_key=state_key, **more)


class Inbox:
    """A tenant whose rooms stand, and what Synapse has sent of them."""

    def __init__(self, *bodies: MatrixEvent | Receipt, knows_rooms: bool = True) -> None:
        self.database = FakeDatabase()
        self.database.put_tenant(tenant_of(member("anna", "owner"), member("ben"), rooms=ROOMS))
        if knows_rooms:
            self.database.put_room(ACME, room_id(SPACE), SPACE, "space")
            self.database.put_room(ACME, room_id(GENERAL), GENERAL)
            self.database.put_room(ACME, room_id(OWN), OWN, "ai")
        self.database.receive(*bodies)
        self.handle = HandleMatrixEvents(database=self.database, house=HOUSE)

    async def run(self, room: str = GENERAL) -> int:
        return await self.handle(self.database.lane("inbox", room_id(room)))

    @property
    def bodies(self) -> list[str]:
        return [str(event.content.get("body")) for event in self.database.memory.messages.values()]

    @property
    def waiting(self) -> int:
        return sum(len(items) for items in self.database.memory.inbox.values())


async def test_messages_edits_redactions_and_receipts_are_taken_in() -> None:
    edit = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$1"}, "m.new_content": {"body": "Hi"}}
    receipt = Receipt(room_id=room_id(GENERAL), event_id=EventID("$1"), user_id=user("anna"), ts=5)
    inbox = Inbox(
        message(1),
        message(2, "Bye"),
        message(3, content=edit),
        message(4, event_type="m.room.redaction", content={"redacts": "$2"}),
        receipt,
        message(5, event_type="m.reaction", content={}),
    )
    assert await inbox.run() == 6
    assert inbox.bodies == ["Hi", "None"]
    assert inbox.database.memory.receipts == [receipt]
    assert inbox.waiting == 0


async def test_twenty_at_most_at_once() -> None:
    inbox = Inbox(*(message(number) for number in range(BATCH + 1)))
    assert [await inbox.run(), await inbox.run(), await inbox.run()] == [BATCH, 1, 0]


@pytest.mark.parametrize(
    "failure", [ValueError("bad date"), TypeError("bad type"), InvalidInput("bad"), OverflowError("int")]
)
async def test_a_poison_event_is_set_apart_and_the_rest_is_handled(failure: Exception) -> None:
    inbox = Inbox(message(1, "one"), message(2, "poison"), message(3, "three"))
    inbox.database.poison[EventID("$2")] = failure
    assert await inbox.run() == 3
    assert inbox.bodies == ["one", "three"]
    ((item, error),) = inbox.database.memory.quarantined
    assert item.body == message(2, "poison")
    assert error == f"{type(failure).__name__}: {failure}"
    assert inbox.waiting == 0


async def test_a_database_that_goes_away_leaves_everything_where_it_was() -> None:
    inbox = Inbox(message(1, "one"), message(2, "two"))
    inbox.database.poison[EventID("$2")] = DependencyDown("the database does not answer")
    with pytest.raises(DependencyDown):
        await inbox.run()
    assert (inbox.bodies, inbox.waiting) == ([], 2), "all of it happens, or none"
    assert inbox.database.memory.quarantined == []
    inbox.database.poison.clear()
    assert await inbox.run() == 2


async def test_a_lane_that_was_lost_undoes_what_was_taken_in() -> None:
    inbox = Inbox(message(1))
    lane = inbox.database.lane("inbox", room_id(GENERAL))
    inbox.database.fence += 1
    with pytest.raises(Conflict):
        await inbox.handle(lane)
    assert (inbox.bodies, inbox.waiting) == ([], 1)


async def test_a_question_to_the_assistant_is_asked_once() -> None:
    inbox = Inbox(message(1, "What is Matrix?", room=OWN), message(1, "What is Matrix?", room=OWN))
    await inbox.run(OWN)
    inbox.database.receive(message(1, "What is Matrix?", room=OWN))
    await inbox.run(OWN)
    (question,) = inbox.database.memory.outbox.values()
    assert (question.kind, question.room_id, question.sender) == ("answer", room_id(OWN), BOTS.assistant)
    assert question.content == {"question": "$1"}


@pytest.mark.parametrize(
    "event",
    [
        message(1, room=OWN, sender=BOTS.assistant),
        message(1, room=OWN, content={"msgtype": "m.notice", "body": "x"}),
        message(
            1, room=OWN, content={"m.relates_to": {"rel_type": "m.replace", "event_id": "$0"}, "m.new_content": {}}
        ),
        message(1, room=GENERAL),
    ],
)
async def test_what_is_no_question_is_not_answered(event: MatrixEvent) -> None:
    inbox = Inbox(event)
    await inbox.handle(inbox.database.lane("inbox", event.room_id))
    assert inbox.database.memory.outbox == {}


async def test_events_of_a_room_that_nobody_knows_are_set_aside_and_not_lost() -> None:
    inbox = Inbox(message(1), message(2), knows_rooms=False)
    assert await inbox.run() == 2
    assert (inbox.bodies, inbox.waiting) == ([], 0)
    assert len(inbox.database.memory.stray[room_id(GENERAL)]) == 2


def birth(**more: object) -> MatrixEvent:
    content = {"com.bitnexus.tenant_id": "acme", "com.bitnexus.key": "general"}
    event = state(1, "m.room.create", content, sender=BOTS.creator)
    return replace(event, **more)


async def test_a_room_of_ours_whose_creation_went_unanswered_is_adopted() -> None:
    inbox = Inbox(birth(), message(2), knows_rooms=False)
    assert await inbox.run() == 2
    assert inbox.database.memory.rooms == {room_id(GENERAL): (ACME, GENERAL, "general")}
    assert inbox.bodies == ["Hello"]


async def test_what_was_set_aside_comes_first_once_the_room_is_adopted() -> None:
    inbox = Inbox(message(7, "early"), knows_rooms=False)
    await inbox.run()
    inbox.database.receive(birth(), message(8, "late"))
    await inbox.run()
    await inbox.run()
    assert inbox.bodies == ["early", "late"]


@pytest.mark.parametrize(
    "event",
    [
        birth(sender=user("mallory")),
        birth(sender=BOTS.relay),
        birth(content={}),
        birth(content={"com.bitnexus.tenant_id": "acme"}),
        birth(content={"com.bitnexus.tenant_id": ["acme"], "com.bitnexus.key": "general"}),
        birth(content={"com.bitnexus.tenant_id": "acme", "com.bitnexus.key": {"a": 1}}),
        birth(content={"com.bitnexus.tenant_id": "unknown", "com.bitnexus.key": "general"}),
        birth(content={"com.bitnexus.tenant_id": "acme", "com.bitnexus.key": "never-desired"}),
        birth(event_type="m.room.message"),
    ],
)
async def test_a_room_whose_birth_does_not_name_it_as_ours_is_not_adopted(event: MatrixEvent) -> None:
    inbox = Inbox(event, knows_rooms=False)
    await inbox.run()
    assert inbox.database.memory.rooms == {}
    assert len(inbox.database.memory.stray[room_id(GENERAL)]) == 1


async def test_a_second_room_for_a_key_is_not_taken_for_the_first() -> None:
    inbox = Inbox(birth(room_id=RoomID("!twin")))
    await inbox.handle(inbox.database.lane("inbox", "!twin"))
    async with inbox.database.work(ACME) as work:
        assert (await work.rooms.room_ids())[GENERAL] == room_id(GENERAL)
    assert "!twin" not in inbox.database.memory.rooms


async def test_drift_asks_for_one_reconcile() -> None:
    stranger = state(1, "m.room.member", {"membership": "join"}, user("mallory"), sender=user("mallory"))
    renamed = state(2, "m.room.name", {"name": "Mallory's"}, sender=user("mallory"))
    inbox = Inbox(stranger, renamed)
    await inbox.run()
    assert [job.state for job in inbox.database.memory.jobs.values()] == ["queued"]


@pytest.mark.parametrize(
    "event",
    [
        state(1, "m.room.name", {"name": "Other"}, sender=BOTS.creator),
        state(1, "m.room.member", {"membership": "invite"}, user("mallory"), sender=BOTS.creator),
    ],
)
async def test_drift_in_our_own_name_is_drift(event: MatrixEvent) -> None:
    inbox = Inbox(event)
    await inbox.run()
    assert [job.state for job in inbox.database.memory.jobs.values()] == ["queued"]


@pytest.mark.parametrize(
    "event",
    [
        state(1, "m.room.member", {"membership": "join"}, user("ben"), sender=user("ben")),
        state(1, "m.room.member", {"membership": "invite"}, user("ben"), sender=BOTS.creator),
        state(1, "m.room.name", {"name": "General"}, sender=user("anna")),
        state(1, "m.room.name", {"name": "General"}, sender=BOTS.creator),
    ],
)
async def test_what_is_as_desired_asks_for_none(event: MatrixEvent) -> None:
    inbox = Inbox(event)
    await inbox.run()
    assert inbox.database.memory.jobs == {}


async def test_old_state_that_comes_late_is_no_drift() -> None:
    inbox = Inbox(
        state(9, "m.room.name", {"name": "General"}, sender=BOTS.creator),
        state(2, "m.room.name", {"name": "Mallory's"}, sender=user("mallory")),
    )
    await inbox.run()
    assert inbox.database.memory.jobs == {}


async def test_a_tenant_learns_nothing_of_anothers_room() -> None:
    inbox = Inbox()
    inbox.database.put_tenant(tenant_of(member("gil"), tenant_id=GLOBEX))
    inbox.database.put_room(GLOBEX, RoomID("!theirs"), GENERAL)
    inbox.database.receive(message(1, room_id=RoomID("!theirs"), event_type="m.room.name", content={}, state_key=""))
    await inbox.handle(inbox.database.lane("inbox", "!theirs"))
    assert {job.tenant_id for job in inbox.database.memory.jobs.values()} == {GLOBEX}


# Echoes


async def sent_by_relay(inbox: Inbox, *, attempts: int = 1, sender: UserID = BOTS.relay) -> None:
    """Put a message under way, the relay's unless it is another's, with the delivery ``dlv_1``."""
    async with inbox.database.work(ACME) as work:
        await work.outbox.enqueue(
            Outgoing(
                room_id=room_id(GENERAL),
                sender=sender,
                event_type="m.room.message",
                content={"body": "x", "com.bitnexus.delivery_id": "dlv_1"},
                delivery_id=DeliveryID("dlv_1"),
            )
        )
        for _ in range(attempts):
            await work.outbox.take_up(inbox.database.lane("outbox", room_id(GENERAL), ACME), limit=20)


def echo(number: int = 1, **more: object) -> MatrixEvent:
    content = {"msgtype": "m.text", "body": "x", "com.bitnexus.delivery_id": "dlv_1"}
    return message(number, **{"sender": BOTS.relay, "content": content, **more})


async def test_our_own_event_that_comes_back_acknowledges_its_message_and_is_taken_in() -> None:
    inbox = Inbox(echo())
    await sent_by_relay(inbox)
    await inbox.run()
    assert inbox.database.memory.finished == {1: Sent(event_id="$1", acknowledged_by="echo")}
    assert inbox.bodies == ["x"]


@pytest.mark.parametrize(
    "event",
    [
        echo(sender=user("mallory")),
        echo(sender=user("ben")),
        echo(sender=BOTS.assistant),
        echo(content={"body": "x", "com.bitnexus.delivery_id": "dlv_2"}),
        echo(content={"body": "x", "com.bitnexus.delivery_id": ["dlv_1"]}),
        echo(content={"body": "x", "com.bitnexus.delivery_id": None}),
        echo(room_id=room_id(OWN)),
    ],
)
async def test_nobody_else_can_acknowledge_a_message_of_ours(event: MatrixEvent) -> None:
    """People may put our delivery id into what they say: it must not make us believe that we had said it."""
    inbox = Inbox(event)
    await sent_by_relay(inbox)
    await inbox.handle(inbox.database.lane("inbox", event.room_id))
    assert inbox.database.memory.finished == {}
    assert inbox.bodies == ["x"], "it is a message like any other"


async def test_a_person_acknowledges_nothing_not_even_what_goes_out_in_their_name() -> None:
    inbox = Inbox(echo(sender=user("ben")))
    await sent_by_relay(inbox, sender=user("ben"))
    await inbox.run()
    assert inbox.database.memory.finished == {}


async def test_a_message_that_was_not_tried_yet_is_not_acknowledged() -> None:
    inbox = Inbox(echo())
    await sent_by_relay(inbox, attempts=0)
    await inbox.run()
    assert inbox.database.memory.finished == {}


async def test_an_acknowledgement_is_undone_with_the_batch_that_brought_it() -> None:
    inbox = Inbox(echo(), message(2, "poison"))
    await sent_by_relay(inbox)
    inbox.database.poison[EventID("$2")] = DependencyDown("the database does not answer")
    with pytest.raises(DependencyDown):
        await inbox.run()
    assert inbox.database.memory.finished == {}


# Changes that come early


def edit_of(target: int, number: int, body: str, **more: object) -> MatrixEvent:
    relation = {"rel_type": "m.replace", "event_id": f"${target}"}
    return message(number, **{"content": {"m.relates_to": relation, "m.new_content": {"body": body}}, **more})


def redaction_of(target: int, number: int, **more: object) -> MatrixEvent:
    return message(number, event_type="m.room.redaction", content={"redacts": f"${target}"}, **more)


async def test_an_edit_that_comes_before_its_message_is_applied_to_it() -> None:
    inbox = Inbox(edit_of(1, 2, "newer"), message(1, "old"))
    await inbox.run()
    assert inbox.bodies == ["newer"]


async def test_a_redaction_that_comes_before_its_message_is_applied_to_it() -> None:
    inbox = Inbox(edit_of(1, 2, "newer"), redaction_of(1, 3), message(1, "old"))
    await inbox.run()
    assert inbox.bodies == ["None"]


async def test_early_changes_by_others_change_nothing() -> None:
    inbox = Inbox(edit_of(1, 2, "forged", sender=user("mallory")), message(1, "old"))
    await inbox.run()
    assert inbox.bodies == ["old"]


# Faults


async def test_after_a_fault_events_are_handled_one_by_one() -> None:
    inbox = Inbox(message(1, "one"), message(2, "two"))
    assert await inbox.handle(inbox.database.lane("inbox", room_id(GENERAL), faults=1)) == 1
    assert (inbox.bodies, inbox.waiting) == (["one"], 1)


async def test_what_nobody_foresaw_undoes_the_batch_and_stays() -> None:
    inbox = Inbox(message(1, "one"), message(2, "poison"))
    inbox.database.poison[EventID("$2")] = ZeroDivisionError("x")
    with pytest.raises(ZeroDivisionError):
        await inbox.run()
    assert (inbox.bodies, inbox.waiting, inbox.database.memory.quarantined) == ([], 2, [])


async def test_a_head_that_is_buried_is_set_apart_and_the_lane_goes_on() -> None:
    inbox = Inbox(message(1, "poison"), message(2, "two"))
    await inbox.handle.bury(inbox.database.lane("inbox", room_id(GENERAL)), "ZeroDivisionError: x")
    ((item, error),) = inbox.database.memory.quarantined
    assert (item.body, error) == (message(1, "poison"), "ZeroDivisionError: x")
    await inbox.run()
    assert inbox.bodies == ["two"]


async def test_who_lost_the_lane_buries_nothing() -> None:
    inbox = Inbox(message(1))
    lane = inbox.database.lane("inbox", room_id(GENERAL))
    inbox.database.fence += 1
    with pytest.raises(Conflict):
        await inbox.handle.bury(lane, "x")
    assert (inbox.waiting, inbox.database.memory.quarantined) == (1, [])


async def test_events_whose_room_becomes_known_at_the_last_moment_are_not_set_aside() -> None:
    inbox = Inbox(message(1), knows_rooms=False)
    inbox.database.at_hold = lambda: inbox.database.put_room(ACME, room_id(GENERAL), GENERAL)
    assert await inbox.run() == 0
    assert (inbox.waiting, inbox.database.memory.stray) == (1, {})
    assert await inbox.run() == 1
    assert inbox.bodies == ["Hello"]
