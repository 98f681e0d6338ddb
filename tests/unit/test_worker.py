"""The worker: lanes claimed, held and let go; nothing that one of them does ends the others."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.errors import Conflict, DependencyBusy, DependencyDown
from bridge.model.job import Lane
from bridge.worker import Worker, backoff_seconds, repeat
from tests.unit.worker_stage import SOON, FakeAction, FakeLanes, lane, one_item, soon, working


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What the worker logs, kept from the screen."""
    with capture_logs() as entries:
        yield entries


async def test_a_lane_is_claimed_worked_on_and_let_go() -> None:
    lanes = FakeLanes(lane("a"), lane("b", queue="outbox"), lane("c", queue="reconcile"))
    async with working(lanes, one_item):
        done = {await soon(lanes.released.get()) for _ in range(3)}
    assert done == {("a", None), ("b", None), ("c", None)}


async def test_new_work_is_taken_up_when_the_bell_rings() -> None:
    lanes = FakeLanes()
    async with working(lanes, one_item) as worker:
        for _ in range(3):
            await soon(lanes.claimed.get())
        lanes.ready.append(lane("late", queue="outbox"))
        worker.wake("outbox")
        assert await soon(lanes.released.get()) == ("late", None)


async def test_a_lane_is_held_by_one_run_at_a_time_and_in_order() -> None:
    order: list[str] = []
    running = 0

    async def action(_lane: Lane) -> int:
        nonlocal running
        running += 1
        assert running == 1
        order.append("begin")
        await asyncio.sleep(0)
        order.append("end")
        running -= 1
        return 1

    lanes = FakeLanes(lane("a"), lane("a"), lane("a"))
    async with working(lanes, action):
        for _ in range(3):
            await soon(lanes.released.get())
    assert order == ["begin", "end"] * 3


async def test_no_more_lanes_are_held_than_there_are_places() -> None:
    begun: asyncio.Queue[str] = asyncio.Queue()
    go = asyncio.Event()

    async def action(held: Lane) -> int:
        begun.put_nowait(held.lane_key)
        await go.wait()
        return 1

    lanes = FakeLanes(*(lane(str(number)) for number in range(5)))
    async with working(lanes, action, concurrency=2):
        first = {await soon(begun.get()), await soon(begun.get())}
        assert (first, len(lanes.held), begun.qsize()) == ({"0", "1"}, 2, 0)
        go.set()
        rest = {await soon(lanes.released.get()) for _ in range(5)}
    assert rest == {(str(number), None) for number in range(5)}
    assert set(lanes.limits) <= {1, 2}, "and none is asked for where there is no place"


async def test_a_slow_lane_does_not_hold_up_the_others() -> None:
    go = asyncio.Event()

    async def action(held: Lane) -> int:
        if held.lane_key == "slow":
            await go.wait()
        return 1

    lanes = FakeLanes(lane("slow"), lane("a"), lane("b"))
    async with working(lanes, action):
        assert {await soon(lanes.released.get()), await soon(lanes.released.get())} == {("a", None), ("b", None)}
        go.set()
        assert await soon(lanes.released.get()) == ("slow", None)


@pytest.mark.parametrize(
    ("failure", "attempts", "wait"),
    [
        (DependencyDown("away"), 0, 0.5),
        (DependencyDown("away", retry_after_ms=7000), 0, 0.5),
        (DependencyBusy("limited", retry_after_ms=7000), 0, 7.0),
        (DependencyBusy("limited", retry_after_ms=7000), 1, 7.0),
        (DependencyBusy("limited", retry_after_ms=7000), 5, 16.0),
        (DependencyBusy("limited", retry_after_ms=1000), 0, 1.0),
        (DependencyBusy("limited", retry_after_ms=90_000), 50, 90.0),
        (DependencyDown("away"), 3, 4.0),
        (DependencyDown("away"), 50, 60.0),
        (Conflict("the lane is held by another worker now"), 0, 0.5),
        (RuntimeError("a mistake"), 0, 0.5),
        (RuntimeError("a mistake"), 2, 2.0),
        (TimeoutError(), 0, 0.5),
    ],
)
async def test_a_run_that_fails_is_tried_again_later(failure: Exception, attempts: int, wait: float) -> None:
    async def action(_lane: Lane) -> int:
        raise failure

    lanes = FakeLanes(lane("a", attempts=attempts))
    async with working(lanes, action):
        assert await soon(lanes.released.get()) == ("a", wait)


async def test_a_mistake_in_one_lane_does_not_end_the_worker(logged: list[MutableMapping[str, Any]]) -> None:
    async def action(held: Lane) -> int:
        if held.lane_key == "bad":
            raise ZeroDivisionError
        return 1

    lanes = FakeLanes(lane("bad"), lane("a"))
    async with working(lanes, action) as worker:
        assert {await soon(lanes.released.get()), await soon(lanes.released.get())} == {("bad", 0.5), ("a", None)}
        assert [(entry["event"], entry["lane_key"], entry["log_level"]) for entry in logged] == [
            ("lane failed", "bad", "error")
        ]
        lanes.ready.append(lane("b"))
        worker.wake("inbox")
        assert await soon(lanes.released.get()) == ("b", None)


async def test_a_lane_that_promised_work_and_had_none_does_not_spin() -> None:
    async def nothing(_lane: Lane) -> int:
        return 0

    lanes = FakeLanes(lane("idle"))
    async with working(lanes, nothing):
        assert await soon(lanes.released.get()) == ("idle", 0.5)
        # the bell that its end rang leads to one more claim for its queue, and to no further one
        while await soon(lanes.claimed.get()) != 0 or not lanes.claimed.empty():
            pass
    assert len(lanes.limits) <= 6


@pytest.mark.parametrize("failure", [DependencyDown("away"), RuntimeError("a mistake"), OSError("reset")])
async def test_a_claim_that_fails_is_made_again(failure: Exception) -> None:
    lanes = FakeLanes()
    lanes.claim_failures = [failure, failure, failure]
    async with working(lanes, one_item) as worker:
        for _ in range(3):
            assert await soon(lanes.claimed.get()) == -1
        lanes.ready.append(lane("a"))
        worker.wake("inbox")
        assert await soon(lanes.released.get()) == ("a", None)


async def test_a_release_that_fails_does_not_end_the_worker() -> None:
    lanes = FakeLanes(lane("a"))
    lanes.release_failures = [DependencyDown("away")]
    async with working(lanes, one_item) as worker:
        await soon(lanes.released.get())
        lanes.ready.append(lane("b"))
        worker.wake("inbox")
        assert await soon(lanes.released.get()) == ("b", None)


async def test_a_lease_is_renewed_for_as_long_as_the_lane_is_worked_on() -> None:
    go = asyncio.Event()

    async def action(_lane: Lane) -> int:
        await go.wait()
        return 1

    lanes = FakeLanes(lane("a"))
    lanes.renew_failures = [DependencyDown("away")]
    async with working(lanes, action, lease_seconds=0.03):
        assert [await soon(lanes.renewed.get()) for _ in range(3)] == ["a", "a", "a"]
        go.set()
        assert await soon(lanes.released.get()) == ("a", None)


async def test_a_stop_lets_what_runs_come_to_its_end_and_claims_no_more() -> None:
    begun, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def action(_lane: Lane) -> int:
        begun.set()
        await go.wait()
        ended.set()
        return 1

    lanes = FakeLanes(lane("a"))
    async with working(lanes, action) as worker:
        await soon(begun.wait())
        stopping = asyncio.create_task(worker.stop(drain_seconds=SOON))
        await asyncio.sleep(0)
        lanes.ready.append(lane("b"))
        worker.wake("inbox")
        assert not stopping.done()
        go.set()
        await soon(stopping)
        assert ended.is_set()
        assert await soon(lanes.released.get()) == ("a", None)
        assert lanes.released.empty()


async def test_what_does_not_come_to_its_end_is_cut_off_and_let_go() -> None:
    begun, cut = asyncio.Event(), asyncio.Event()

    async def action(_lane: Lane) -> int:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.set()
            raise
        return 1

    lanes = FakeLanes(lane("a"))
    async with working(lanes, action) as worker:
        await soon(begun.wait())
        await soon(worker.stop(drain_seconds=0.01))
        assert cut.is_set()
        assert lanes.released.get_nowait() == ("a", None), "free for another worker at once"
        assert lanes.held == set()


async def test_what_a_claim_under_way_has_taken_is_not_left_to_its_lease_by_a_stop() -> None:
    lanes = FakeLanes(lane("a"))
    lanes.claim_answer.clear()
    async with working(lanes, one_item) as worker:
        await soon(lanes.claimed.get())
        assert lanes.held == {"a"}
        stopping = asyncio.create_task(worker.stop(drain_seconds=SOON))
        await asyncio.sleep(0)
        lanes.claim_answer.set()
        await soon(stopping)
        assert await soon(lanes.released.get()) == ("a", None)
        assert lanes.held == set()


async def test_a_worker_that_never_began_stops() -> None:
    worker = Worker(
        lanes=FakeLanes(), actions={"inbox": FakeAction(one_item)}, concurrency=1, lease_seconds=1, poll_seconds=1
    )
    await soon(worker.stop(drain_seconds=1))


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 0.5), (1, 1), (2, 2), (6, 32), (7, 60), (10, 60), (10**6, 60)])
def test_waits_double_up_to_a_minute(attempts: int, seconds: float) -> None:
    assert backoff_seconds(attempts) == seconds


async def test_a_chore_that_fails_is_done_again() -> None:
    done = asyncio.Event()
    tries: list[int] = []

    async def sweep() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            raise RuntimeError("once")
        done.set()
        return len(tries)

    task = asyncio.create_task(repeat("sweep", sweep, every_seconds=0))
    async with asyncio.timeout(10):
        await done.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tries[:2] == [0, 1]
