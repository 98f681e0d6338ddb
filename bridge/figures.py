"""Read now and then how the queues stand, for the metrics; a scrape shows what was read last, and how old it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bridge.errors import BitnexusError
from bridge.model.health import Backlog
from bridge.model.stream import StreamEnds
from bridge.telemetry import (
    DEAD_LETTERS,
    FIGURES_AGE,
    GAP_LAG,
    ITEMS_PENDING,
    LANES_WAITING,
    OLDEST_WAITING,
    QUARANTINED,
    STRAY_EVENTS,
)

_log = structlog.stdlib.get_logger("bridge.figures")

READ_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0


@dataclass(kw_only=True)
class Figures:
    """Keeps the gauges of the queues up to date.

    A scrape asks nobody, so it answers while PostgreSQL or Synapse is away: the gauges stand at what was read last, and
    ``bitnexus_figures_age_seconds`` grows from then on.
    """

    backlog: Callable[[], Awaitable[Backlog]]
    ends: Callable[[], Awaitable[StreamEnds]]
    """Where the homeserver's streams end."""
    monotonic: Callable[[], float] = time.monotonic
    every_seconds: float = READ_SECONDS

    async def run(self) -> None:
        """Read until cancelled."""
        self._mark_read()
        is_well = True
        while True:
            try:
                await self._read()
                is_well = True
            except (BitnexusError, TimeoutError) as error:
                if is_well:  # once, not six times a minute
                    _log.warning("figures not read", error=str(error) or "no answer in time")
                is_well = False
            except Exception:  # noqa: BLE001 - figures that fail once must not be the last
                _log.exception("figures not read")
            await asyncio.sleep(self.every_seconds)

    def _mark_read(self) -> None:
        read_at = self.monotonic()
        FIGURES_AGE.set_function(lambda: self.monotonic() - read_at)

    async def _read(self) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            backlog = await self.backlog()
        _show(backlog)
        self._mark_read()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            ends = await self.ends()
        for stream, end in (("events", ends.events), ("receipts", ends.receipts)):
            GAP_LAG.labels(stream).set(max(0, end - _position(backlog, stream)))


def _position(backlog: Backlog, stream: str) -> int:
    return next((position for name, position in backlog.positions.items() if name == stream), 0)


def _show(backlog: Backlog) -> None:
    for queue in backlog.queues:
        LANES_WAITING.labels(queue.queue).set(queue.lanes_waiting)
        ITEMS_PENDING.labels(queue.queue).set(queue.pending)
        OLDEST_WAITING.labels(queue.queue).set(queue.oldest_seconds)
    DEAD_LETTERS.set(backlog.dead_letters)
    QUARANTINED.set(backlog.quarantined)
    STRAY_EVENTS.set(backlog.stray)
