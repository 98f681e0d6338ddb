"""The gauges of the queues: read on a timer, standing still and growing old while nobody answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from bridge.errors import DependencyDown
from bridge.figures import Figures
from bridge.model.health import Backlog, QueueFigures
from bridge.model.stream import StreamEnds
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as entries:
        yield entries


class Read:
    """What is read, and how often it was; implements what Figures asks."""

    def __init__(self) -> None:
        self.reads = 0
        self.pending = 5
        self.failure: Exception | None = None
        self.now = 100.0

    async def backlog(self) -> Backlog:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        queue = QueueFigures(queue="outbox", lanes_waiting=2, lanes_held=1, pending=self.pending, oldest_seconds=7.5)
        return Backlog(queues=(queue,), dead_letters=3, quarantined=4, stray=6, positions={"events": 90})

    async def ends(self) -> StreamEnds:
        return StreamEnds(instance="i", events=100, receipts=2)

    async def again(self) -> None:
        """Wait until it was read twice more, so that one reading lies between."""
        seen = self.reads

        async def reads() -> int:
            return self.reads

        await until(reads, lambda number: number >= seen + 2, seconds=5)


@asynccontextmanager
async def reading(read: Read) -> AsyncIterator[None]:
    figures = Figures(backlog=read.backlog, ends=read.ends, monotonic=lambda: read.now, every_seconds=0.01)
    task = asyncio.create_task(figures.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_gauges_show_what_was_read() -> None:
    read = Read()
    async with reading(read):
        await read.again()
        assert shown("bitnexus_lanes_waiting", queue="outbox") == 2
        assert shown("bitnexus_items_pending", queue="outbox") == 5
        assert shown("bitnexus_oldest_waiting_seconds", queue="outbox") == 7.5
        assert shown("bitnexus_dead_letters") == 3
        assert shown("bitnexus_quarantined_events") == 4
        assert shown("bitnexus_stray_events") == 6
        assert shown("bitnexus_gap_lag_positions", stream="events") == 10
        assert shown("bitnexus_gap_lag_positions", stream="receipts") == 2


@pytest.mark.parametrize("failure", [DependencyDown("away"), ValueError("a mistake")], ids=["away", "mistake"])
async def test_while_nobody_answers_they_stand_and_grow_old_and_one_line_says_so(
    failure: Exception, logged: list[MutableMapping[str, Any]]
) -> None:
    read = Read()
    async with reading(read):
        await read.again()
        read.failure, read.pending = failure, 8
        await read.again()
        read.now += 60.0
        assert shown("bitnexus_items_pending", queue="outbox") == 5
        assert shown("bitnexus_figures_age_seconds") == 60.0
        if isinstance(failure, DependencyDown):
            assert [entry["event"] for entry in logged] == ["figures not read"]
        read.failure = None
        await read.again()
        assert shown("bitnexus_items_pending", queue="outbox") == 8
        assert shown("bitnexus_figures_age_seconds") == 0.0
