"""Compare the homeserver's streams with the inbox, and take in what never came."""

from dataclasses import dataclass

from bridge.model.stream import Repaired, RepairReason, StreamEnds, StreamName
from bridge.ports import EventStream, Gaps

PAGE = 500
MOST_PAGES = 400
"""Of one comparison: 200,000 events; the next one goes on from there."""
STEP_BACK = 10_000
"""How far to go back from the end of a stream that is shorter than we knew it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairGaps:
    """Read both streams from where the last comparison ended; what the inbox has already changes nothing."""

    stream: EventStream
    gaps: Gaps

    async def __call__(self, reason: RepairReason, *, until: StreamEnds | None = None) -> Repaired:
        """Compare up to the streams' present ends, or to ``until``; raises DependencyDown, HomeserverRefused.

        Each page is stored with the position it reaches, so that an interrupted comparison goes on where it stopped.
        """
        ends = (None, None) if until is None else (until.events, until.receipts)
        events, has_all_events = await self._repair("events", reason, ends[0])
        receipts, has_all_receipts = await self._repair("receipts", reason, ends[1])
        return Repaired(events=events, receipts=receipts, is_whole=has_all_events and has_all_receipts)

    async def _repair(self, stream: StreamName, reason: RepairReason, until: int | None) -> tuple[int, bool]:
        position, repaired = await self.gaps.position(stream), 0
        if until is not None and position >= until:
            return 0, True
        for _ in range(MOST_PAGES):
            page = await self.stream.read(stream, after=position, until=until, limit=PAGE)
            if page.end < position:
                # Synapse was restored from an older backup, and gives the same positions to other events
                position = max(0, page.end - STEP_BACK)
                continue
            if page.position > position:
                repaired += await self.gaps.store(stream, page, reason=reason)
            position = max(position, page.position)
            if position >= min(page.end, page.end if until is None else until):
                return repaired, True
        return repaired, False
