"""The stop: work in hand ends, the proxy has its time, what hangs is left behind, a second signal does not wait."""

import asyncio
import re
import time
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from prometheus_client import REGISTRY
from ruamel.yaml import YAML
from structlog.testing import capture_logs

from bridge.config import Config
from bridge.draining import LET_GO_SECONDS, Stop, drain
from bridge.parts import CLOSE_SECONDS
from bridge.serving import IN_FLIGHT_SECONDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as entries:
        yield entries


class Work:
    """Work in hand that ends by itself, when it is cut off, or never."""

    def __init__(self, *, ends: bool = False, lets_go: bool = True) -> None:
        self.asked: list[float] = []
        self.over = asyncio.Event()
        self.lets_go = lets_go
        self.is_abandoned = False
        if ends:
            self.over.set()

    def abandon(self) -> None:
        self.is_abandoned = True

    async def stop(self, seconds: float) -> None:
        self.asked.append(seconds)
        if seconds == 0 and self.lets_go:
            self.over.set()
        await self.over.wait()


async def drained(stop: Stop, work: Work, *, drain_seconds: float = 30.0, leave_seconds: float = 0.0) -> float:
    began = time.monotonic()
    await drain(stop, work.stop, abandon=work.abandon, drain_seconds=drain_seconds, leave_seconds=leave_seconds)
    return time.monotonic() - began


async def test_a_stop_that_was_asked_for_is_seen_by_readiness_and_metrics() -> None:
    stop = Stop()
    assert not stop.is_draining
    stop.ask()
    await asyncio.wait_for(stop.wait(), 1)
    assert stop.is_draining
    assert REGISTRY.get_sample_value("bitnexus_draining") == 1


async def test_without_work_it_takes_no_longer_than_the_proxy_is_given() -> None:
    assert await drained(Stop(), Work(ends=True)) < 0.5
    assert 0.3 <= await drained(Stop(), Work(ends=True), leave_seconds=0.3) < 1.0


async def test_work_in_hand_is_waited_for_and_told_how_long() -> None:
    work = Work()
    task = asyncio.create_task(drained(Stop(), work, drain_seconds=7.0))
    await asyncio.sleep(0)  # let it begin
    await asyncio.sleep(0)
    assert (work.asked, task.done()) == ([7.0], False)
    work.over.set()
    await asyncio.wait_for(task, 1)


async def test_a_second_signal_cuts_off_what_is_under_way(logged: list[MutableMapping[str, Any]]) -> None:
    stop, work = Stop(), Work()
    stop.ask()
    task = asyncio.create_task(drained(stop, work))
    await asyncio.sleep(0)
    stop.ask()
    assert await asyncio.wait_for(task, 2) < 2
    assert work.asked == [30.0, 0.0]
    assert [entry["event"] for entry in logged] == ["asked to stop again: what is under way is cut off"]


async def test_work_that_never_lets_go_is_abandoned_and_does_not_keep_the_process(
    logged: list[MutableMapping[str, Any]],
) -> None:
    began, work = time.monotonic(), Work(lets_go=False)
    await drain(Stop(), work.stop, abandon=work.abandon, drain_seconds=0.1, leave_seconds=0.0, let_go_seconds=0.2)
    assert 0.3 <= time.monotonic() - began < 1.5
    assert work.is_abandoned
    assert logged[-1]["event"] == "work in hand did not let go; its leases will end"


async def test_work_that_does_not_even_heed_its_cancellation_does_not_keep_the_process() -> None:
    over = asyncio.Event()

    async def hang(_seconds: float) -> None:
        while not over.is_set():
            with suppress(asyncio.CancelledError):
                await over.wait()

    began = time.monotonic()
    await drain(Stop(), hang, abandon=lambda: None, drain_seconds=0.1, leave_seconds=0.0, let_go_seconds=0.2)
    assert time.monotonic() - began < 1.5
    over.set()


async def test_a_failure_of_the_stop_is_logged_and_the_process_still_ends(
    logged: list[MutableMapping[str, Any]],
) -> None:
    async def fail(_seconds: float) -> None:
        raise RuntimeError("a mistake")

    await drain(Stop(), fail, abandon=lambda: None, drain_seconds=5.0, leave_seconds=0.0)
    assert [entry["event"] for entry in logged] == ["failed at the stop"]


def test_whoever_stops_the_process_waits_longer_than_a_stop_may_take() -> None:
    worker = get_type_hints(Config)["worker"]()
    # work in hand, twice the letting go, two listeners that close one after the other, both pools
    longest = worker.drain_seconds + 2 * LET_GO_SECONDS + 4 * IN_FLIGHT_SECONDS + 2 * CLOSE_SECONDS
    unit = (ROOT / "deploy/systemd/bitnexus-chat.service").read_text(encoding="utf-8")
    compose = YAML(typ="safe", pure=True).load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert re.findall(r"^KillSignal=(\w+)$", unit, re.MULTILINE) == ["SIGTERM"]
    patience = re.findall(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)
    patience += re.findall(r"^(\d+)s$", compose["services"]["bridge"]["stop_grace_period"])
    assert len(patience) == 2
    assert [int(seconds) for seconds in patience if int(seconds) < longest] == []
