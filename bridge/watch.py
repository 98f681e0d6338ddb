"""Keep an eye on Synapse: after each trouble have it send what it kept for us, and look for what it forgot."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from bridge.actions.repair_gaps import RepairGaps
from bridge.errors import BitnexusError
from bridge.model.stream import Repaired, RepairReason, StreamEnds
from bridge.ports import Clock, EventStream
from bridge.telemetry import GAP_CHECKS

_log = structlog.stdlib.get_logger("bridge.watch")

_AGAIN_SECONDS = 0.5


@dataclass(kw_only=True)
class Watch:
    """Looks at Synapse every few seconds.

    Synapse loses events for us when it dies, and says so to nobody: its module's ``instance`` tells that it was started
    anew. A comparison on the timer covers what is at least one interval old, so that what is still under way does not
    count as missing.
    """

    stream: EventStream
    ping: Callable[[], Awaitable[None]]
    repair: RepairGaps
    hurry: Callable[[], Awaitable[None]]
    """Has lanes that wait for Synapse tried now."""
    clock: Clock
    watch_seconds: float
    interval_seconds: float
    _due: RepairReason | None = "start"
    _trouble: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: StreamEnds | None = None
    _settled: int = 0
    _timer_from: float = 0.0

    def notice_trouble(self) -> None:
        """Say that Synapse did not answer us, or that we could not store what it sent."""
        self._trouble.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        is_well = True
        while True:
            try:
                await self._look()
            except BitnexusError as error:
                if is_well:  # once, not twice a second
                    _log.warning("cannot watch Synapse", error=error.sentence)
                is_well, self._due = False, self._due or "trouble"
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            is_well = True
            with suppress(TimeoutError):
                async with asyncio.timeout(self.watch_seconds):
                    await self._trouble.wait()

    async def _look(self) -> None:
        if self._trouble.is_set():
            self._trouble.clear()
            self._due = self._due or "trouble"
        ends = await self.stream.present()
        if self._seen is not None and ends.instance != self._seen.instance:
            self._due = self._due or "trouble"
        if self._due is not None:
            await self._mend(self._due, ends)
        elif self.clock.monotonic() - self._timer_from >= self.interval_seconds:
            await self._check("timer", until=self._settled)
            self._start_timer(ends)
        self._seen = ends

    async def _mend(self, reason: RepairReason, ends: StreamEnds) -> None:
        """Hurry what waited, have Synapse send its backlog, and take in what it has forgotten.

        Hurrying asks PostgreSQL: while that is away, Synapse is not pinged to send what we could not store.
        """
        await self.hurry()
        await self.ping()
        await self._check(reason, until=None)
        self._due = None
        self._start_timer(ends)

    def _start_timer(self, ends: StreamEnds) -> None:
        self._settled, self._timer_from = ends.events, self.clock.monotonic()

    async def _check(self, reason: RepairReason, *, until: int | None) -> None:
        try:
            repaired = await self.repair(reason, until=until)
            while not repaired.is_whole:
                repaired = await self.repair(reason, until=until)
        except BitnexusError:
            GAP_CHECKS.labels(reason, "failed").inc()
            raise
        GAP_CHECKS.labels(reason, "done").inc()
        _tell(reason, repaired)


def _tell(reason: RepairReason, repaired: Repaired) -> None:
    if repaired.events or repaired.receipts:
        _log.warning(
            "gap repaired: these never came", reason=reason, events=repaired.events, receipts=repaired.receipts
        )
