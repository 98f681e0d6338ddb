"""Keep an eye on Synapse: after each trouble have it send what it kept for us, and look for what it forgot."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from bridge.actions.repair_gaps import RepairGaps
from bridge.errors import BitnexusError, HomeserverRefused
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
    _is_roused: bool = False
    """Whether Synapse was pinged in the trouble that is due."""
    _trouble: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: StreamEnds | None = None
    _settled: StreamEnds | None = None
    """Where the streams ended when the timer was started."""
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
                is_well = False
                await asyncio.sleep(self._note_failure(error))
                continue
            is_well = True
            with suppress(TimeoutError):
                async with asyncio.timeout(self.watch_seconds):
                    await self._trouble.wait()

    def _note_failure(self, error: BitnexusError) -> float:
        """Note that a look failed, and return in how many seconds to look again."""
        self._due = self._due or "trouble"
        if isinstance(error, HomeserverRefused):  # it is there, and will say the same again
            return self.watch_seconds
        self._is_roused = False
        return _AGAIN_SECONDS

    async def _look(self) -> None:
        if self._trouble.is_set():
            self._trouble.clear()
            self._take_notice()
        unreached = await self._rouse()
        ends = await self.stream.present()
        if self._seen is not None and ends.instance != self._seen.instance:
            self._take_notice()
            unreached = await self._rouse()
        self._seen = ends
        if self._due is not None:
            await self._check(self._due, until=None)
            if unreached is not None:
                raise unreached
            self._due = None
            self._start_timer(ends)
        elif self.clock.monotonic() - self._timer_from >= self.interval_seconds:
            await self._check("timer", until=self._settled)
            self._start_timer(ends)

    def _take_notice(self) -> None:
        self._due, self._is_roused = self._due or "trouble", False

    async def _rouse(self) -> BitnexusError | None:
        """Hurry what waited, and have Synapse send its backlog: once in each trouble; return why it could not.

        Hurrying asks PostgreSQL: while that is away, Synapse is not pinged to send what we could not store. Neither
        waits for the module: a Synapse whose module is missing still has a backlog. And the module does not wait for
        the ping: what Synapse cannot send us, for want of a way to us, we can still read.
        """
        if self._due is None or self._is_roused:
            return None
        await self.hurry()
        try:
            await self.ping()
        except BitnexusError as error:
            return error
        self._is_roused = True
        return None

    def _start_timer(self, ends: StreamEnds) -> None:
        self._settled, self._timer_from = ends, self.clock.monotonic()

    async def _check(self, reason: RepairReason, *, until: StreamEnds | None) -> None:
        found = 0
        try:
            is_whole = False
            while not is_whole:
                repaired = await self.repair(reason, until=until)
                is_whole, found = repaired.is_whole, found + _tell(reason, repaired)
        except BitnexusError:
            GAP_CHECKS.labels(reason, "failed").inc()
            raise
        GAP_CHECKS.labels(reason, "done").inc()
        if found:
            await self.hurry()


def _tell(reason: RepairReason, repaired: Repaired) -> int:
    """Log what was missing, and return how much it was."""
    found = repaired.events + repaired.receipts
    if found:
        _log.warning(
            "gap repaired: these never came", reason=reason, events=repaired.events, receipts=repaired.receipts
        )
    return found
