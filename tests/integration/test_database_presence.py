"""Who is there, on a real PostgreSQL: lanes of a process that died are free at once, those of a living one are not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.db.lanes import LaneLost, LaneStore
from bridge.db.presence import Presence
from bridge.model.event import Sent
from bridge.model.ids import EventID
from bridge.model.job import Lane
from bridge.ports import Queue
from tests.support.own_database import ACME, OwnDatabase
from tests.support.waiting import until

ROOM = "!room"


@asynccontextmanager
async def process(own: OwnDatabase, woken: list[Queue] | None = None) -> AsyncIterator[Presence]:
    """A process that shows itself for as long as the block lasts; at its end its connection closes, as at a death."""
    rung: list[Queue] = [] if woken is None else woken
    presence = Presence(own.app, own.url(), rung.append)
    showing = asyncio.create_task(presence.show())
    try:
        await until(lambda: is_shown(own, presence), bool)
        yield presence
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def is_shown(own: OwnDatabase, presence: Presence) -> bool:
    question = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = $1::int::oid)"
    return bool(await own.ask(question, presence.number))


async def claim(own: OwnDatabase, holder: int | None) -> Lane:
    lanes = LaneStore(own.app, holder=holder)
    (lane,) = await lanes.claim("outbox", limit=1, lease_seconds=600, held={}, most_per_tenant=1)
    return lane


async def test_lanes_of_a_process_that_died_are_free_after_two_looks(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    (outbox_id,) = await own.enqueue(ROOM, "one")
    woken: list[Queue] = []
    async with process(own, woken) as living:
        async with process(own) as dying:
            lane = await claim(own, dying.number)
            assert [await living.look() for _ in range(3)] == [0, 0, 0], "it is there"
        await until(lambda: is_shown(own, dying), lambda shown: not shown)
        assert await living.look() == 0, "it may be on its way back"
        assert await living.look() == 1
        assert woken == ["outbox"]
        taken = await claim(own, living.number)
        assert (taken.lane_key, taken.fence) == (lane.lane_key, lane.fence + 1)
        assert [await living.look() for _ in range(3)] == [0, 0, 0], "ours are never freed"
    # whoever was taken for dead and is not can record nothing
    with pytest.raises(LaneLost):
        async with own.database.work(ACME) as work:
            await work.outbox.finish(lane, outbox_id, Sent(event_id=EventID("$late")))


async def test_a_process_that_comes_back_between_two_looks_keeps_its_lanes(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.enqueue(ROOM, "one")
    async with process(own) as living, process(own) as other:
        await claim(own, other.number)
        await own.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
            " WHERE locktype = 'advisory' AND objid = $1::int::oid",
            other.number,
        )
        await until(lambda: is_shown(own, other), lambda shown: not shown)
        assert await living.look() == 0
        await until(lambda: is_shown(own, other), bool)
        assert [await living.look() for _ in range(3)] == [0, 0, 0]


async def test_a_lane_held_by_nobody_known_waits_for_its_lease(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.enqueue(ROOM, "one")
    async with process(own) as living:
        await claim(own, None)
        assert [await living.look() for _ in range(3)] == [0, 0, 0]
