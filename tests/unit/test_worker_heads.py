"""The worker and heads that fail: whose failure it is, how long they wait, when they are buried; and lost lanes."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.errors import BitnexusError, Conflict, DependencyBusy, DependencyDown, DependencyFailed
from bridge.model.job import Lane
from tests.unit.worker_stage import FakeAction, FakeLanes, Run, lane, one_item, soon, working


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What the worker logs, kept from the screen."""
    with capture_logs() as entries:
        yield entries


def failing(failure: Exception) -> Run:
    async def run(_lane: Lane) -> int:
        raise failure

    return run


@pytest.mark.parametrize("failure", [DependencyDown("away"), DependencyFailed("500"), Conflict("held by another")])
async def test_what_was_foreseen_is_no_fault(failure: BitnexusError) -> None:
    lanes, action = FakeLanes(lane("a", faults=5)), FakeAction(failing(failure))
    async with working(lanes, action):
        await soon(lanes.released.get())
    assert lanes.told["a"] == (failure.sentence, False)
    assert action.buried == []


@pytest.mark.parametrize("faults", [0, 1, 4])
async def test_what_nobody_foresaw_is_a_fault_and_tried_again(faults: int) -> None:
    lanes, action = FakeLanes(lane("a", faults=faults)), FakeAction(failing(ValueError("odd")))
    async with working(lanes, action):
        assert await soon(lanes.released.get()) == ("a", 0.5)
    assert lanes.told["a"] == ("ValueError: odd", True)
    assert action.buried == []


async def test_after_five_faults_the_head_is_buried_and_the_lane_goes_on_at_once() -> None:
    lanes, action = FakeLanes(lane("a", attempts=9, faults=5)), FakeAction(failing(ValueError("odd")))
    async with working(lanes, action):
        assert await soon(lanes.released.get()) == ("a", None)
    assert action.buried == [("a", "ValueError: odd")]
    assert lanes.told["a"] == (None, False)


async def test_a_head_that_was_mended_meanwhile_is_not_buried() -> None:
    lanes, action = FakeLanes(lane("a", faults=5)), FakeAction(one_item)
    async with working(lanes, action):
        assert await soon(lanes.released.get()) == ("a", None)
    assert action.buried == []


async def test_what_cannot_even_be_buried_stays_and_waits(logged: list[MutableMapping[str, Any]]) -> None:
    lanes, action = FakeLanes(lane("a", faults=5)), FakeAction(failing(ValueError("odd")))
    action.bury_failures = [DependencyDown("the database does not answer")]
    async with working(lanes, action):
        assert await soon(lanes.released.get()) == ("a", 60.0)
    assert (action.buried, lanes.told["a"]) == ([], ("ValueError: odd", False))
    assert [entry["event"] for entry in logged] == ["lane failed", "head not buried"]


@pytest.mark.parametrize(
    ("failure", "attempts", "new_head_after"),
    [
        (DependencyDown("away"), 9, 0.5),
        (DependencyBusy("limited", retry_after_ms=7000), 9, 7.0),
        (ValueError("odd"), 9, 0.5),
    ],
)
async def test_a_head_that_the_run_came_to_does_not_wait_for_what_others_failed_of(
    failure: Exception, attempts: int, new_head_after: float
) -> None:
    lanes = FakeLanes(lane("a", attempts=attempts))
    async with working(lanes, failing(failure)):
        assert await soon(lanes.released.get()) == ("a", 60.0)
    assert lanes.new_heads["a"] == new_head_after


async def test_a_claim_says_what_is_held_already_by_tenant_and_how_much_is_too_much() -> None:
    begun: asyncio.Queue[str] = asyncio.Queue()
    go = asyncio.Event()

    async def run(held: Lane) -> int:
        begun.put_nowait(held.lane_key)
        await go.wait()
        return 1

    lanes = FakeLanes(lane("a1", tenant="a"), lane("a2", tenant="a"), lane("b1", tenant="b"), lane("x"))
    async with working(lanes, run, concurrency=8) as worker:
        for _ in range(4):
            await soon(begun.get())
        lanes.ready.append(lane("c1", tenant="c"))
        worker.wake("inbox")
        await soon(begun.get())
        go.set()
    assert ({"a": 2, "b": 1, None: 1}, 6) in lanes.turns
    assert {most for _, most in lanes.turns} == {6}, "the last two of eight places are for the others"


async def test_one_place_is_a_place() -> None:
    lanes = FakeLanes(lane("a"))
    async with working(lanes, one_item, concurrency=1):
        await soon(lanes.released.get())
    assert {most for _, most in lanes.turns} == {1}


# Lanes that are lost


async def test_a_run_whose_lane_somebody_else_holds_now_is_ended(logged: list[MutableMapping[str, Any]]) -> None:
    ended = asyncio.Event()

    async def run(held: Lane) -> int:
        if held.lane_key != "lost":
            return 1
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 1

    lanes = FakeLanes(lane("lost"))
    lanes.lost = {"lost"}
    async with working(lanes, run, lease_seconds=0.03) as worker:
        await soon(ended.wait())
        assert await soon(lanes.released.get()) == ("lost", None), "which changes nothing: its fence is old"
        lanes.ready.append(lane("next"))
        worker.wake("inbox")
        assert await soon(lanes.released.get()) == ("next", None)
    assert [entry["event"] for entry in logged] == ["lane lost"]


async def test_a_lease_that_could_not_be_prolonged_does_not_end_the_run() -> None:
    go = asyncio.Event()

    async def run(_lane: Lane) -> int:
        await go.wait()
        return 1

    lanes = FakeLanes(lane("a"))
    lanes.renew_failures = [DependencyDown("away"), RuntimeError("odd"), OSError("reset")]
    async with working(lanes, run, lease_seconds=0.03):
        for _ in range(5):
            await soon(lanes.renewed.get())
        go.set()
        assert await soon(lanes.released.get()) == ("a", None)


# Letting go


async def test_a_lane_that_cannot_be_released_is_left_to_the_end_of_its_lease(
    logged: list[MutableMapping[str, Any]],
) -> None:
    lanes = FakeLanes(lane("a"))
    lanes.release_gate.clear()  # PostgreSQL accepts, and never answers
    async with working(lanes, one_item, lease_seconds=0.05) as worker:
        while not any(entry["event"].startswith("lane not released") for entry in logged):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        lanes.release_gate.set()
        lanes.ready.append(lane("b"))
        worker.wake("inbox")
        assert await soon(lanes.released.get()) == ("b", None), "its place is free again"


async def test_a_stop_ends_though_lanes_cannot_be_released() -> None:
    begun = asyncio.Event()

    async def run(_lane: Lane) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 1

    lanes = FakeLanes(lane("a"))
    async with working(lanes, run) as worker:
        await soon(begun.wait())
        lanes.release_gate.clear()
        await soon(worker.stop(drain_seconds=0.01))
    assert lanes.released.empty()


async def test_a_run_that_was_cut_off_says_nothing_of_its_head() -> None:
    begun = asyncio.Event()

    async def run(_lane: Lane) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 1

    lanes = FakeLanes(lane("a", attempts=3, faults=5))
    async with working(lanes, run) as worker:
        await soon(begun.wait())
        await soon(worker.stop(drain_seconds=0))
    assert await soon(lanes.released.get()) == ("a", None)
    assert lanes.told["a"] == (None, False)


async def test_work_that_came_while_a_lane_was_held_is_taken_up_when_it_is_let_go() -> None:
    lanes = FakeLanes(lane("a"))
    runs = 0

    async def run(held: Lane) -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            lanes.ready.append(held)  # nobody rings for a lane that is held
        return 1

    async with working(lanes, run):
        assert [await soon(lanes.released.get()) for _ in range(2)] == [("a", None), ("a", None)]
