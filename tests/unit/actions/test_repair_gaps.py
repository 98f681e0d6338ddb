"""Comparing Synapse's streams with the inbox: everything once, from where it stopped, no further than it should."""

from dataclasses import dataclass, field

import pytest

from bridge.actions.repair_gaps import MOST_PAGES, PAGE, STEP_BACK, RepairGaps
from bridge.errors import DependencyDown
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, RoomID, UserID
from bridge.model.stream import Repaired, RepairReason, StreamEnds, StreamName, StreamPage


def event(position: int) -> tuple[str, MatrixEvent]:
    event_id = EventID(f"$e{position}")
    return event_id, MatrixEvent(
        event_id=event_id,
        room_id=RoomID("!r"),
        event_type="m.room.message",
        sender=UserID("@u_ann:s"),
        content={"body": str(position)},
        origin_server_ts=position,
        stream_position=position,
    )


@dataclass
class Streams:
    """A homeserver whose streams have an item at each position, and the inbox; both may fail."""

    ends: dict[StreamName, int]
    inbox: set[str] = field(default_factory=set)
    positions: dict[StreamName, int] = field(default_factory=dict)
    asked: list[tuple[StreamName, int, int | None]] = field(default_factory=list)
    reasons: set[RepairReason] = field(default_factory=set)
    fail_after: int | None = None

    async def present(self) -> StreamEnds:
        return StreamEnds(instance="i", events=self.ends["events"], receipts=self.ends["receipts"])

    async def read(self, stream: StreamName, *, after: int, until: int | None, limit: int) -> StreamPage:
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise DependencyDown("away")
        self.asked.append((stream, after, until))
        end = self.ends[stream]
        last = end if until is None else min(end, until)
        position = max(after, min(last, after + limit))
        items = [event(number) for number in range(after + 1, position + 1)] if stream == "events" else []
        return StreamPage(items=items, unparsable=(), position=position, end=end)

    async def position(self, stream: StreamName) -> int:
        return self.positions.get(stream, 0)

    async def store(self, stream: StreamName, page: StreamPage, *, reason: RepairReason) -> int:
        new = {item_id for item_id, _ in page.items} - self.inbox
        self.inbox |= new
        self.reasons.add(reason)
        self.positions[stream] = page.position
        return len(new)


def streams(events: int, receipts: int = 0) -> Streams:
    return Streams(ends={"events": events, "receipts": receipts})


def repair_of(made: Streams) -> RepairGaps:
    return RepairGaps(stream=made, gaps=made)


async def test_what_is_missing_is_taken_in_and_what_is_there_is_not_counted() -> None:
    made = streams(2 * PAGE + 3)
    made.inbox = {"$e1", "$e700"}
    repaired = await repair_of(made)("start")
    assert repaired == Repaired(events=2 * PAGE + 1, receipts=0, is_whole=True)
    assert made.positions["events"] == 2 * PAGE + 3
    assert len(made.inbox) == 2 * PAGE + 3


async def test_a_second_comparison_asks_for_what_came_since() -> None:
    made = streams(7)
    await repair_of(made)("start")
    made.ends["events"], made.asked = 9, []
    assert (await repair_of(made)("timer")).events == 2
    assert made.reasons == {"start", "timer"}
    assert made.asked[0] == ("events", 7, None)


async def test_an_interrupted_comparison_goes_on_where_it_stopped() -> None:
    made = streams(3 * PAGE)
    made.fail_after = 2
    with pytest.raises(DependencyDown):
        await repair_of(made)("trouble")
    assert made.positions["events"] == 2 * PAGE
    made.fail_after, made.asked = None, []
    assert (await repair_of(made)("trouble")).events == PAGE
    assert made.asked[0] == ("events", 2 * PAGE, None)


async def test_a_comparison_goes_no_further_than_it_was_told() -> None:
    """What came later may still be under way, in both streams."""
    made = streams(50, 40)
    repaired = await repair_of(made)("timer", until=StreamEnds(instance="i", events=20, receipts=10))
    assert repaired == Repaired(events=20, receipts=0, is_whole=True)
    assert made.asked == [("events", 0, 20), ("receipts", 0, 10)]
    made.asked = []
    again = await repair_of(made)("timer", until=StreamEnds(instance="i", events=20, receipts=10))
    assert (again.events, again.is_whole, made.asked) == (0, True, [])


async def test_a_comparison_is_bounded_and_says_that_more_is_to_do() -> None:
    made = streams(MOST_PAGES * PAGE + 1)
    assert await repair_of(made)("start") == Repaired(events=MOST_PAGES * PAGE, receipts=0, is_whole=False)
    assert await repair_of(made)("start") == Repaired(events=1, receipts=0, is_whole=True)


async def test_after_a_restore_of_synapses_backup_the_stream_is_read_again_from_before_its_end() -> None:
    """The same positions belong to other events then: waiting for the stream to pass the old one would miss them."""
    made = streams(STEP_BACK + 300)
    made.positions = {"events": STEP_BACK + 5_000}
    repaired = await repair_of(made)("trouble")
    assert repaired == Repaired(events=STEP_BACK, receipts=0, is_whole=True)
    assert made.positions["events"] == STEP_BACK + 300
    made.ends["events"] += 1
    assert (await repair_of(made)("trouble")).events == 1


async def test_an_empty_homeserver_is_whole() -> None:
    assert await repair_of(streams(0))("start") == Repaired(events=0, receipts=0, is_whole=True)
