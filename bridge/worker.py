"""Claim lanes, hold them while their action runs, try again what has to wait, and stop with nothing half done."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from bridge.errors import BitnexusError, DependencyDown
from bridge.model.job import Lane
from bridge.ports import Lanes, Queue
from bridge.telemetry import LANE_RUNS, LANES_HELD

_log = structlog.stdlib.get_logger("bridge.worker")

_LONGEST_WAIT = 60.0

Action = Callable[[Lane], Awaitable[int]]
"""Work on a held lane; return how many items were finished."""


def backoff_seconds(attempts: int) -> float:
    """Return how long to wait before try ``attempts + 1``: half a second, doubled each time, a minute at most."""
    return min(_LONGEST_WAIT, 0.5 * 2.0 ** min(attempts, 10))


async def repeat(name: str, act: Callable[[], Awaitable[object]], *, every_seconds: float) -> None:
    """Do a chore now and again until cancelled; one that fails is logged, and done the next time."""
    while True:
        try:
            _log.info("chore done", chore=name, result=await act())
        except Exception:  # noqa: BLE001 - a chore that fails once must not be the last
            _log.exception("chore failed", chore=name)
        await asyncio.sleep(every_seconds)


@dataclass(kw_only=True)
class Worker:
    """One process's share of the queues; several workers on one PostgreSQL share lanes between them."""

    lanes: Lanes
    actions: Mapping[Queue, Action]
    concurrency: int
    lease_seconds: float
    poll_seconds: float
    _bells: dict[Queue, asyncio.Event] = field(init=False)
    _running: dict[Queue, set[asyncio.Task[None]]] = field(init=False)
    _claiming: list["asyncio.Task[None]"] = field(init=False, default_factory=list["asyncio.Task[None]"])

    def __post_init__(self) -> None:
        """Make a bell and a set of running lanes for each queue."""
        self._bells = {queue: asyncio.Event() for queue in self.actions}
        self._running = {queue: set() for queue in self.actions}

    def wake(self, queue: Queue) -> None:
        """Say that a queue has work; called after the commit that put it there."""
        self._bells[queue].set()

    def start(self) -> None:
        """Begin to claim lanes of every queue."""
        self._claiming = [asyncio.create_task(self._serve(queue), name=f"claim {queue}") for queue in self.actions]

    async def stop(self, *, drain_seconds: float) -> None:
        """Claim no more, let what runs come to its end, and cut it off after ``drain_seconds``."""
        for task in self._claiming:
            task.cancel()
        await asyncio.gather(*self._claiming, return_exceptions=True)
        running = set[asyncio.Task[None]]().union(*self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, queue: Queue) -> None:
        while True:
            self._bells[queue].clear()
            if not await self._claim(queue):
                # not wait_for: in Python 3.11 it can swallow the cancellation of stop()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.poll_seconds):
                        await self._bells[queue].wait()

    async def _claim(self, queue: Queue) -> bool:
        """Take what there is place for; False when it is time to wait."""
        running = self._running[queue]
        places = self.concurrency - len(running)
        if places == 0:
            return False  # a lane that comes to its end rings the bell
        try:
            lanes = await self.lanes.claim(queue, limit=places, lease_seconds=self.lease_seconds)
        except DependencyDown as error:
            _log.warning("cannot claim lanes", queue=queue, error=error.sentence)
            return False
        except Exception:  # noqa: BLE001 - one failed claim must not end the queue; it is logged and made again
            _log.exception("claim failed", queue=queue)
            return False
        for lane in lanes:
            task = asyncio.create_task(self._hold(lane), name=f"{queue} {lane.lane_key}")
            running.add(task)
            task.add_done_callback(running.discard)
        return bool(lanes)

    async def _hold(self, lane: Lane) -> None:
        with LANES_HELD.labels(lane.queue).track_inprogress():
            heart = asyncio.create_task(self._beat(lane))
            retry_after = None
            try:
                retry_after = await self._run(lane)
            finally:
                heart.cancel()
                await self._release(lane, retry_after)
        asyncio.get_running_loop().call_soon(self.wake, lane.queue)

    async def _run(self, lane: Lane) -> float | None:
        """Run the lane's action; return the seconds to wait before its head is tried again, or None."""
        try:
            finished = await self.actions[lane.queue](lane)
        except DependencyDown as error:
            LANE_RUNS.labels(lane.queue, "waits").inc()
            _log.warning("lane waits", queue=lane.queue, lane_key=lane.lane_key, error=error.sentence)
            return max(backoff_seconds(lane.attempts), error.retry_after_ms / 1000 if lane.attempts == 0 else 0)
        except BitnexusError as error:
            LANE_RUNS.labels(lane.queue, "refused").inc()
            _log.warning("lane refused", queue=lane.queue, lane_key=lane.lane_key, error=error.sentence)
            return backoff_seconds(lane.attempts)
        except Exception:  # noqa: BLE001 - a mistake in one lane must not end the worker; it is logged and retried
            LANE_RUNS.labels(lane.queue, "failed").inc()
            _log.exception("lane failed", queue=lane.queue, lane_key=lane.lane_key)
            return backoff_seconds(lane.attempts)
        # a lane that promised work and had none must not spin
        LANE_RUNS.labels(lane.queue, "done" if finished else "idle").inc()
        return None if finished else backoff_seconds(lane.attempts)

    async def _release(self, lane: Lane, retry_after: float | None) -> None:
        try:
            await self.lanes.release(lane, retry_after_seconds=retry_after)
        except Exception:  # noqa: BLE001 - whatever it is, the lease ends by itself
            _log.exception("lane not released; its lease will end", queue=lane.queue, lane_key=lane.lane_key)

    async def _beat(self, lane: Lane) -> None:
        while True:
            await asyncio.sleep(self.lease_seconds / 3)
            try:
                await self.lanes.renew(lane, lease_seconds=self.lease_seconds)
            except Exception:  # noqa: BLE001 - one lost beat must not end the heart
                _log.exception("lease not renewed", queue=lane.queue, lane_key=lane.lane_key)
