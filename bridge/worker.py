"""Claim lanes, hold them while their action runs, try again what has to wait, and stop with nothing half done."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bridge.errors import BitnexusError, DependencyBusy, DependencyDown
from bridge.model.ids import TenantID
from bridge.model.job import Lane
from bridge.ports import Lanes, Queue
from bridge.telemetry import LANE_RUNS, LANES_HELD

_log = structlog.stdlib.get_logger("bridge.worker")

_LONGEST_WAIT = 60.0
_RELEASE_AGAIN_SECONDS = 0.5
_LET_GO_SECONDS = 2.0

_MOST_FAULTS = 5


class Action(Protocol):
    """What is done with a held lane of one queue."""

    async def __call__(self, lane: Lane) -> int:
        """Work on the lane's next items; return how many were finished."""
        ...

    async def bury(self, lane: Lane, error: str) -> None:
        """Set the lane's head aside, with what it failed of again and again, so that the lane goes on."""
        ...


def backoff_seconds(attempts: int) -> float:
    """Return how long to wait before try ``attempts + 1``: half a second, doubled each time, a minute at most."""
    return min(_LONGEST_WAIT, 0.5 * 2.0 ** min(attempts, 10))


def _wait_after(error: BitnexusError, attempts: int) -> float:
    """Return how long to wait after a failure: by our own patience, and at least what we were told to."""
    asked = error.retry_after_ms / 1000 if isinstance(error, DependencyBusy) else 0.0
    return max(backoff_seconds(attempts), asked)


async def repeat(name: str, act: Callable[[], Awaitable[object]], *, every_seconds: float) -> None:
    """Do a chore now and again until cancelled; one that fails is logged, and done the next time."""
    while True:
        try:
            result = await act()
            _log.log(logging.INFO if result else logging.DEBUG, "chore done", chore=name, result=result)
        except Exception:  # noqa: BLE001 - a chore that fails once must not be the last
            _log.exception("chore failed", chore=name)
        await asyncio.sleep(every_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How a run of a lane ended; ``retry_after`` in seconds when its head has to be tried again."""

    retry_after: float | None = None
    new_head_after: float | None = None
    """The same for a head that the run came to after others: the failures before were not its own."""
    error: str | None = None
    is_fault: bool = False


@dataclass(kw_only=True)
class Worker:
    """One process's share of the queues; several workers on one PostgreSQL share lanes between them."""

    lanes: Lanes
    actions: Mapping[Queue, Action]
    concurrency: int
    lease_seconds: float
    poll_seconds: float
    _bells: dict[Queue, asyncio.Event] = field(init=False)
    _running: dict[Queue, dict["asyncio.Task[None]", TenantID | None]] = field(init=False)
    _claiming: list["asyncio.Task[None]"] = field(init=False, default_factory=list["asyncio.Task[None]"])
    _is_stopping: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Make a bell and a set of running lanes for each queue."""
        self._bells = {queue: asyncio.Event() for queue in self.actions}
        self._running = {queue: {} for queue in self.actions}

    @property
    def _most_per_tenant(self) -> int:
        """The last places are for the others: a tenant with much to do must not make everybody wait."""
        return max(1, self.concurrency * 3 // 4)

    def wake(self, queue: Queue) -> None:
        """Say that a queue has work; called after the commit that put it there."""
        self._bells[queue].set()

    def wake_all(self) -> None:
        """Say that any queue may have work."""
        for queue in self.actions:
            self.wake(queue)

    def start(self) -> None:
        """Begin to claim lanes of every queue."""
        self._claiming = [asyncio.create_task(self._serve(queue), name=f"claim {queue}") for queue in self.actions]

    async def stop(self, *, drain_seconds: float) -> None:
        """Claim no more, let what runs come to its end, and cut it off after ``drain_seconds``."""
        self._is_stopping = True
        self.wake_all()
        if self._claiming:
            # a claim under way is waited for: what it has taken, nobody else could take until the lease ends
            _, hanging = await asyncio.wait(self._claiming, timeout=_LET_GO_SECONDS)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
        running = {task for tasks in self._running.values() for task in tasks}
        if running:
            _, late = await asyncio.wait(running, timeout=drain_seconds)
            await self._cut_off(late)

    async def _cut_off(self, tasks: Set["asyncio.Task[None]"]) -> None:
        """Cancel runs, and leave those that cannot even let go of their lanes to the end of their leases."""
        for seconds in (_LET_GO_SECONDS, None):
            for task in tasks:
                task.cancel()
            if tasks:
                _, tasks = await asyncio.wait(tasks, timeout=seconds)

    async def _serve(self, queue: Queue) -> None:
        while not self._is_stopping:
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
            lanes = await self.lanes.claim(
                queue,
                limit=places,
                lease_seconds=self.lease_seconds,
                held=Counter(running.values()),
                most_per_tenant=self._most_per_tenant,
            )
        except DependencyDown as error:
            _log.warning("cannot claim lanes", queue=queue, error=error.sentence)
            return False
        except Exception:  # noqa: BLE001 - one failed claim must not end the queue; it is logged and made again
            _log.exception("claim failed", queue=queue)
            return False
        for lane in lanes:
            task = asyncio.create_task(self._hold(lane), name=f"{queue} {lane.lane_key}")
            running[task] = lane.tenant_id
            task.add_done_callback(running.pop)
        return bool(lanes)

    async def _hold(self, lane: Lane) -> None:
        with LANES_HELD.labels(lane.queue).track_inprogress():
            heart, run = asyncio.create_task(self._beat(lane)), asyncio.create_task(self._run(lane))
            try:
                await asyncio.wait({heart, run}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                heart.cancel()
                run.cancel()
                (ended,) = await asyncio.gather(run, return_exceptions=True)
                is_wanted = await self._release(lane, ended if isinstance(ended, _Outcome) else _Outcome())
        if is_wanted or self._is_full(lane.queue):
            asyncio.get_running_loop().call_soon(self.wake, lane.queue)

    def _is_full(self, queue: Queue) -> bool:
        """Say whether a lane may have been left for want of a place: then the one that ends now makes room for it."""
        running = self._running[queue]
        most = max(Counter(running.values()).values(), default=0)
        return len(running) >= self.concurrency or most >= self._most_per_tenant

    async def _run(self, lane: Lane) -> "_Outcome":
        try:
            finished = await self.actions[lane.queue](lane)
        except BitnexusError as error:
            outcome = "waits" if isinstance(error, DependencyDown) else "refused"
            LANE_RUNS.labels(lane.queue, outcome).inc()
            _log.warning(
                "lane not done", outcome=outcome, queue=lane.queue, lane_key=lane.lane_key, error=error.sentence
            )
            return _Outcome(
                retry_after=_wait_after(error, lane.attempts),
                new_head_after=_wait_after(error, 0),
                error=error.sentence,
            )
        except Exception as error:  # noqa: BLE001 - a mistake in one lane must not end the worker; it is logged and retried
            LANE_RUNS.labels(lane.queue, "failed").inc()
            _log.exception("lane failed", queue=lane.queue, lane_key=lane.lane_key)
            return await self._count_fault(lane, f"{type(error).__name__}: {error}")
        # a lane that promised work and had none must not spin
        LANE_RUNS.labels(lane.queue, "done" if finished else "idle").inc()
        return _Outcome(retry_after=None if finished else backoff_seconds(lane.attempts))

    async def _count_fault(self, lane: Lane, error: str) -> "_Outcome":
        """Try a head that failed unexpectedly again, a few times; then bury it, so that the lane goes on."""
        if lane.faults < _MOST_FAULTS:
            return _Outcome(
                retry_after=backoff_seconds(lane.attempts),
                new_head_after=backoff_seconds(0),
                error=error,
                is_fault=True,
            )
        try:
            await self.actions[lane.queue].bury(lane, error)
        except Exception:  # noqa: BLE001 - what cannot even be buried stays, and says so in the log
            _log.exception("head not buried", queue=lane.queue, lane_key=lane.lane_key)
            return _Outcome(retry_after=_LONGEST_WAIT, error=error)
        LANE_RUNS.labels(lane.queue, "buried").inc()
        return _Outcome()

    async def _release(self, lane: Lane, outcome: "_Outcome") -> bool:
        """Let go, and return whether the lane may have more to do.

        While PostgreSQL is away, try until the lease has ended by itself.
        """
        try:
            async with asyncio.timeout(self.lease_seconds):
                return await self._release_until_done(lane, outcome)
        except TimeoutError:
            _log.warning("lane not released; its lease has ended", queue=lane.queue, lane_key=lane.lane_key)
        except Exception:  # noqa: BLE001 - whatever it is, the lease ends by itself
            _log.exception("lane not released; its lease will end", queue=lane.queue, lane_key=lane.lane_key)
        return True

    async def _release_until_done(self, lane: Lane, outcome: "_Outcome") -> bool:
        while True:
            try:
                return await self.lanes.release(
                    lane,
                    retry_after_seconds=outcome.retry_after,
                    new_head_after_seconds=outcome.new_head_after,
                    error=outcome.error,
                    is_fault=outcome.is_fault,
                )
            except DependencyDown:
                await asyncio.sleep(_RELEASE_AGAIN_SECONDS)

    async def _beat(self, lane: Lane) -> None:
        """Prolong the lease again and again; return when somebody else holds the lane, whose work it is now."""
        while True:
            await asyncio.sleep(self.lease_seconds / 3)
            try:
                if not await self.lanes.renew(lane, lease_seconds=self.lease_seconds):
                    _log.warning("lane lost", queue=lane.queue, lane_key=lane.lane_key)
                    return
            except DependencyDown as error:
                _log.warning("lease not renewed", queue=lane.queue, lane_key=lane.lane_key, error=error.sentence)
            except Exception:  # noqa: BLE001 - one lost beat must not end the heart
                _log.exception("lease not renewed", queue=lane.queue, lane_key=lane.lane_key)
