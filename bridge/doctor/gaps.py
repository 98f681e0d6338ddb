"""Hold the homeserver's streams against the inbox without changing either."""

import time

from bridge.db.health import absent_from_inbox
from bridge.doctor.instruments import DatabaseAccess
from bridge.matrix.stream import SynapseStream
from bridge.model.event import MatrixEvent
from bridge.model.health import GapFigures, StreamFigures
from bridge.model.ids import EventID
from bridge.model.stream import StreamName

_PAGE, _MOST_PAGES = 500, 4


async def measure_gaps(database: DatabaseAccess, stream: SynapseStream) -> GapFigures:
    """Return how far the comparison is, and what of the next 2,000 events never came."""
    standing = {name: (position, age) for name, position, age in await database.store.positions()}
    ends = await stream.present()
    reach: dict[StreamName, int] = {"events": ends.events, "receipts": ends.receipts}
    streams = tuple(
        StreamFigures(
            stream=name,
            position=standing[name][0] if name in standing else 0,
            end=max(end, standing[name][0]) if name in standing else end,
            age_seconds=standing[name][1] if name in standing else None,
        )
        for name, end in reach.items()
    )
    missing, is_whole = await _missing(database, stream, after=streams[0].position)
    oldest = min((event.origin_server_ts for event in missing), default=None)
    return GapFigures(
        streams=streams,
        missing=len(missing),
        oldest_missing_seconds=0.0 if oldest is None else max(0.0, time.time() - oldest / 1000),
        is_whole=is_whole,
    )


async def _missing(database: DatabaseAccess, stream: SynapseStream, *, after: int) -> tuple[list[MatrixEvent], bool]:
    missing: list[MatrixEvent] = []
    for _ in range(_MOST_PAGES):
        page = await stream.read("events", after=after, until=None, limit=_PAGE)
        events = {EventID(event_id): body for event_id, body in page.items if isinstance(body, MatrixEvent)}
        missing += [events[event_id] for event_id in await absent_from_inbox(database.app, events.keys())]
        if page.position >= page.end or page.position <= after:
            return missing, True
        after = page.position
    return missing, False
