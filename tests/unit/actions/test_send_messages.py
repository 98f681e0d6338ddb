"""The outbox: in order, frozen, dead letters for what is refused, and a place kept for what has to wait."""

import pytest

from bridge.actions.answer_message import AnswerMessage
from bridge.actions.send_messages import BATCH, SendMessages
from bridge.errors import Conflict, DependencyDown
from bridge.model.event import Outcome, Outgoing, Refused, Sent
from bridge.model.ids import OutboxID, RoomID
from tests.unit.fake_edges import AWAY, FakeAssistant, FakeClock, FakeHomeserver, refusal
from tests.unit.fakes import FakeDatabase
from tests.unit.people import ACME, BOTS

ROOM = RoomID("!general")


class Sender:
    """An outbox lane with messages in it."""

    def __init__(self) -> None:
        self.database, self.homeserver = FakeDatabase(), FakeHomeserver()
        answer = AnswerMessage(
            database=self.database, homeserver=self.homeserver, assistant=FakeAssistant("Yes."), clock=FakeClock()
        )
        self.send = SendMessages(
            database=self.database, homeserver=self.homeserver, answer=answer, clock=self.database.clock
        )

    async def put(self, *bodies: str, kind: str = "send", sender: str = BOTS.relay, room: RoomID = ROOM) -> None:
        async with self.database.work(ACME) as work:
            for body in bodies:
                await work.outbox.enqueue(
                    Outgoing(
                        room_id=room, sender=sender, event_type="m.room.message", content={"body": body}, kind=kind
                    )
                )

    async def run(self) -> int:
        return await self.send(self.database.lane("outbox", ROOM, ACME))

    @property
    def said(self) -> list[str]:
        return [content["body"] for _, _, content, _ in self.homeserver.sent]

    @property
    def finished(self) -> dict[OutboxID, Outcome]:
        return self.database.memory.finished


async def test_messages_are_sent_in_order_and_once() -> None:
    sender = Sender()
    await sender.put("one", "two", "three")
    assert await sender.run() == 3
    assert await sender.run() == 0
    assert sender.said == ["one", "two", "three"]
    assert sender.finished == {1: Sent(event_id="$sent1"), 2: Sent(event_id="$sent2"), 3: Sent(event_id="$sent3")}


async def test_only_the_lanes_room_is_written_to() -> None:
    sender = Sender()
    await sender.put("elsewhere", room=RoomID("!other"))
    await sender.put("here")
    assert await sender.run() == 1
    assert [room for room, *_ in sender.homeserver.sent] == [ROOM]


async def test_a_run_sends_twenty_at_most() -> None:
    sender = Sender()
    await sender.put(*(str(number) for number in range(BATCH + 5)))
    assert await sender.run() == BATCH == 20
    assert await sender.run() == 5
    assert sender.said == [str(number) for number in range(25)]


async def test_what_is_refused_becomes_a_dead_letter_and_the_lane_goes_on() -> None:
    sender = Sender()
    await sender.put("one", "two", "three")
    sender.homeserver.fail("send", None, refusal("too large"))
    assert await sender.run() == 3
    assert sender.said == ["one", "three"]
    assert sender.finished[2] == Refused(error="too large")
    assert sender.finished[3] == Sent(event_id="$sent2")


async def test_what_has_to_wait_keeps_its_place_and_holds_up_what_is_behind_it() -> None:
    sender = Sender()
    await sender.put("one", "two", "three")
    sender.homeserver.fail("send", None, AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    assert sender.said == ["one"]
    assert set(sender.finished) == {1}
    assert await sender.run() == 2
    assert sender.said == ["one", "two", "three"]


async def test_a_message_whose_answer_was_lost_is_not_sent_twice() -> None:
    sender = Sender()
    await sender.put("one")
    sender.homeserver.fail("answer send", AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    assert await sender.run() == 1
    assert sender.said == ["one"]
    assert sender.finished == {1: Sent(event_id="$sent1")}


async def test_two_bots_in_one_room_never_share_a_transaction_id() -> None:
    sender = Sender()
    await sender.put("from the relay")
    await sender.put("from the assistant", sender=BOTS.assistant)
    await sender.run()
    assert sender.said == ["from the relay", "from the assistant"]
    assert len({txn for *_, txn in sender.homeserver.sent}) == 2


async def test_a_question_is_answered_in_its_turn() -> None:
    sender = Sender()
    await sender.put("before")
    await sender.put("question", kind="answer", sender=BOTS.assistant)
    await sender.put("after")
    await sender.run()
    assert sender.said == ["before", "Yes.", "* Yes.", "after"]


async def test_a_lane_that_was_lost_records_nothing() -> None:
    sender = Sender()
    await sender.put("one", "two")
    lane = sender.database.lane("outbox", ROOM, ACME)
    sender.database.fence += 1
    with pytest.raises(Conflict):
        await sender.send(lane)
    assert sender.finished == {}


async def test_an_attempt_is_counted_before_it_is_made() -> None:
    sender = Sender()
    await sender.put("one")
    sender.homeserver.fail("send", AWAY, AWAY)
    for _ in range(2):
        with pytest.raises(DependencyDown):
            await sender.run()
    assert sender.database.memory.outbox[OutboxID(1)].attempts == 2
