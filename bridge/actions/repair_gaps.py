"""Compare the homeserver's streams with the inbox, and take in what never came."""

from dataclasses import dataclass

from bridge.model.stream import Repaired, RepairReason, StreamName
from bridge.ports import EventStream, Gaps

PAGE = 500
MOST_PAGES = 400
"""Of one comparison: 200,000 events; the next one goes on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairGaps:
    """Read both streams from where the last comparison ended; what the inbox has already changes nothing."""

    stream: EventStream
    gaps: Gaps

    async def __call__(self, reason: RepairReason, *, until: int | None = None) -> Repaired:
        """Compare up to the stream's present end, or to ``until``; raises DependencyDown, HomeserverRefused.

        Each page is stored with the position it reaches, so that an interrupted comparison goes on where it stopped.
        """
        events, has_all_events = await self._repair("events", reason, until)
        receipts, has_all_receipts = await self._repair("receipts", reason, None)
        return Repaired(events=events, receipts=receipts, is_whole=has_all_events and has_all_receipts)

    async def _repair(self, stream: StreamName, reason: RepairReason, until: int | None) -> tuple[int, bool]:
        position, repaired = await self.gaps.position(stream), 0
        if until is not None and position >= until:
            return 0, True
        for _ in range(MOST_PAGES):
            page = await self.stream.read(stream, after=position, until=until, limit=PAGE)
            if page.position > position:
                repaired += await self.gaps.store(stream, page, reason=reason)
            position = max(position, page.position)
            if position >= min(page.end, page.end if until is None else until):
                return repaired, True
        return repaired, False
