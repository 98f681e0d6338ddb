"""The outbox: in order, frozen, dead letters for what is refused, and a place kept for what has to wait."""

import asyncio
from datetime import timedelta

import pytest

from bridge.actions.answer_message import AnswerMessage
from bridge.actions.send_messages import BATCH, POISON_FAILURES, SendMessages
from bridge.errors import Conflict, DependencyBusy, DependencyDown, DependencyFailed
from bridge.model.event import Outcome, Outgoing, Refused, Sent
from bridge.model.ids import DeliveryID, EventID, OutboxID, RoomID
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
                delivery_id = DeliveryID(f"dlv_{body}") if kind == "send" else None
                await work.outbox.enqueue(
                    Outgoing(
                        room_id=room,
                        sender=sender,
                        event_type="m.room.message",
                        content={"body": body, "com.bitnexus.delivery_id": delivery_id},
                        kind=kind,
                        delivery_id=delivery_id,
                    )
                )

    async def run(self, *, faults: int = 0, attempts: int = 0) -> int:
        return await self.send(self.database.lane("outbox", ROOM, ACME, faults=faults, attempts=attempts))

    async def fail(self, failure: Exception, times: int, *, minutes: float = 1.0) -> None:
        """Try so often with this failure, each ``minutes`` after the one before."""
        for _ in range(times):
            self.homeserver.fail("send", failure)
            with pytest.raises(DependencyDown):
                await self.run()
            self.database.clock.pass_seconds(minutes * 60)

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


# Recording


async def test_a_result_is_recorded_while_the_next_message_is_under_way_and_in_order() -> None:
    sender = Sender()
    await sender.put("one", "two", "three")
    trace: list[str] = []
    sender.database.at_finish = lambda outbox_id: trace.append(f"record {outbox_id}")
    sent = sender.homeserver.send

    async def send(*args: object, **named: object) -> EventID:
        trace.append(f"send {args[3]['body']}")
        await asyncio.sleep(0)  # a request is under way
        await asyncio.sleep(0)
        return await sent(*args, **named)

    sender.homeserver.send = send
    assert await sender.run() == 3
    assert [act for act in trace if act.startswith("send")] == ["send one", "send two", "send three"]
    assert [act for act in trace if act.startswith("record")] == ["record 1", "record 2", "record 3"]
    assert trace.index("record 1") > trace.index("send two") - 1
    assert trace.index("record 1") < trace.index("send three"), "never more than one result is unrecorded"


async def test_a_refusal_is_recorded_before_anything_behind_it_is_sent() -> None:
    """Else a crash between the two had it tried again, and pass what was behind it."""
    sender = Sender()
    await sender.put("one", "two")
    trace: list[str] = []
    sender.database.at_finish = lambda outbox_id: trace.append(f"record {outbox_id}")
    sender.homeserver.fail("send", refusal("too large"))
    sent = sender.homeserver.send

    async def send(*args: object, **named: object) -> EventID:
        trace.append(f"send {args[3]['body']}")
        return await sent(*args, **named)

    sender.homeserver.send = send
    await sender.run()
    assert trace == ["send one", "record 1", "send two", "record 2"]


async def test_what_was_sent_before_something_has_to_wait_is_recorded() -> None:
    sender = Sender()
    await sender.put("one", "two", "three")
    sender.homeserver.fail("send", None, None, AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    assert set(sender.finished) == {1, 2}


async def test_a_run_that_is_cut_off_records_what_was_sent() -> None:
    sender = Sender()
    await sender.put("one", "two")
    waiting = asyncio.Event()
    sent = sender.homeserver.send

    async def send(*args: object, **named: object) -> EventID:
        if args[3]["body"] == "two":
            waiting.set()
            await asyncio.Event().wait()
        return await sent(*args, **named)

    sender.homeserver.send = send
    run = asyncio.create_task(sender.run())
    await asyncio.wait_for(waiting.wait(), 5)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert sender.finished == {1: Sent(event_id="$sent1")}


async def test_a_lane_that_is_lost_under_way_ends_the_run_at_the_next_result() -> None:
    sender = Sender()
    await sender.put(*"abcdef")

    def lose(outbox_id: OutboxID) -> None:
        sender.database.fence += outbox_id == 2

    sender.database.at_finish = lose
    with pytest.raises(Conflict):
        await sender.run()
    assert set(sender.finished) == {1}
    assert sender.said == ["a", "b", "c"], "and what was under way has the transaction id that its next holder uses"
    sender.database.at_finish = lambda _outbox_id: None
    assert await sender.run() == 5
    assert sender.said == list("abcdef")


async def test_an_echo_that_was_faster_than_the_answer_stands() -> None:
    sender = Sender()
    await sender.put("one")
    sender.database.at_finish = lambda outbox_id: sender.database.memory.finished.setdefault(
        outbox_id, Sent(event_id="$echo", acknowledged_by="echo")
    )
    assert await sender.run() == 1
    assert sender.finished == {1: Sent(event_id="$echo", acknowledged_by="echo")}


# Failures


async def test_what_fails_again_and_again_while_others_are_stored_is_given_up() -> None:
    sender = Sender()
    await sender.put("poison", "good")
    failed = DependencyFailed("Synapse failed (send, 500)")
    await sender.fail(failed, POISON_FAILURES - 1)
    assert sender.finished == {}
    sender.homeserver.fail("send", failed)
    assert await sender.run() == 2
    assert sender.finished[1] == Refused(error="given up after 10 failures: Synapse failed (send, 500)")
    assert sender.said == ["good"]


async def test_nothing_is_given_up_while_the_homeserver_stores_nothing_at_all() -> None:
    sender = Sender()
    await sender.put("one")
    sender.homeserver.is_writable = False
    await sender.fail(DependencyFailed("500"), 3 * POISON_FAILURES)
    assert sender.finished == {}
    sender.homeserver.is_writable = True
    assert await sender.run() == 1, "and it is sent at last"
    assert sender.said == ["one"]


async def test_nothing_is_given_up_within_the_first_minutes() -> None:
    """A homeserver that is starting may fail quickly, and often."""
    sender = Sender()
    await sender.put("one")
    await sender.fail(DependencyFailed("500"), 3 * POISON_FAILURES, minutes=0.1)
    assert sender.finished == {}


@pytest.mark.parametrize("failure", [AWAY, DependencyBusy("limited", retry_after_ms=5000)])
async def test_waiting_for_a_homeserver_that_is_away_is_no_failure_of_the_message(failure: DependencyDown) -> None:
    """After a night without Synapse, one failure of it must not make a dead letter."""
    sender = Sender()
    await sender.put("one")
    await sender.fail(failure, 5 * POISON_FAILURES, minutes=10)
    await sender.fail(DependencyFailed("500"), 1)
    assert sender.finished == {}
    assert await sender.run() == 1


async def test_failures_are_the_messages_own() -> None:
    sender = Sender()
    await sender.put("one", "two")
    await sender.fail(DependencyFailed("500"), POISON_FAILURES - 1)
    sender.homeserver.fail("send", None, DependencyFailed("500"))
    with pytest.raises(DependencyFailed):
        await sender.run()
    assert set(sender.finished) == {1}
    assert sender.database.memory.outbox[OutboxID(2)].failures == 1


async def test_after_a_fault_messages_are_tried_one_by_one() -> None:
    """So that the one to blame stands alone, and a fault is never counted against another."""
    sender = Sender()
    await sender.put("one", "two")
    assert await sender.run(faults=1) == 1
    assert sender.said == ["one"]


async def test_a_message_that_is_buried_is_a_dead_letter_and_the_lane_goes_on() -> None:
    sender = Sender()
    await sender.put("odd", "good")
    await sender.send.bury(sender.database.lane("outbox", ROOM, ACME), "ValueError: odd")
    assert sender.finished == {1: Refused(error="ValueError: odd")}
    assert await sender.run() == 1
    assert sender.said == ["good"]


async def test_who_lost_the_lane_buries_nothing() -> None:
    sender = Sender()
    await sender.put("odd")
    lane = sender.database.lane("outbox", ROOM, ACME)
    sender.database.fence += 1
    with pytest.raises(Conflict):
        await sender.send.bury(lane, "ValueError: odd")
    assert sender.finished == {}


# Old attempts


async def lost_answer(sender: Sender, *, hours: float) -> None:
    """Send a message whose answer is lost, and wait until Synapse has forgotten its transaction id."""
    sender.homeserver.fail("answer send", AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    sender.database.clock.pass_seconds(hours * 3600)
    sender.homeserver.forget_transactions()


async def test_after_a_day_the_timeline_says_what_was_sent() -> None:
    sender = Sender()
    await sender.put("one")
    began = sender.database.clock.now()
    await lost_answer(sender, hours=23.5)
    assert await sender.run() == 1
    assert sender.said == ["one"]
    assert sender.finished == {1: Sent(event_id="$sent1", acknowledged_by="timeline")}
    assert sender.homeserver.looked_since == [began]


async def test_what_is_not_in_the_timeline_is_sent() -> None:
    sender = Sender()
    await sender.put("one")
    sender.homeserver.fail("send", AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    sender.database.clock.pass_seconds(timedelta(hours=30).total_seconds())
    assert await sender.run() == 1
    assert sender.finished == {1: Sent(event_id="$sent1")}


async def test_within_a_day_the_transaction_id_is_trusted() -> None:
    sender = Sender()
    await sender.put("one")
    sender.homeserver.fail("answer send", AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    sender.database.clock.pass_seconds(22.9 * 3600)
    assert await sender.run() == 1
    assert (sender.said, sender.homeserver.looked_since) == (["one"], [])


async def test_a_timeline_that_cannot_be_read_now_is_waited_for() -> None:
    sender = Sender()
    await sender.put("one")
    await lost_answer(sender, hours=24)
    sender.homeserver.fail("find_sent", AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    assert (sender.said, sender.finished) == (["one"], {})
    await sender.run()
    assert sender.said == ["one"]


async def test_what_cannot_be_told_any_more_is_not_sent_twice() -> None:
    sender = Sender()
    await sender.put("one")
    await lost_answer(sender, hours=24)
    sender.homeserver.fail("find_sent", refusal("too many messages since"))
    assert await sender.run() == 1
    assert sender.said == ["one"]
    assert sender.finished == {1: Refused(error="too many messages since")}


async def test_a_question_of_yesterday_is_not_answered_any_more() -> None:
    sender = Sender()
    await sender.put("question", kind="answer", sender=BOTS.assistant)
    sender.homeserver.fail("send", AWAY)
    with pytest.raises(DependencyDown):
        await sender.run()
    sender.database.clock.pass_seconds(24 * 3600)
    assert await sender.run() == 1
    assert (sender.said, sender.finished) == ([], {1: Refused(error="the question is too old")})
