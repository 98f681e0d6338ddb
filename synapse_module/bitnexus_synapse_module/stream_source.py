"""The streams of our rooms, read from Synapse: the one place that reaches behind its module API.

``ModuleApi`` has no door to where the streams end, to events by their ids with redactions applied, or to the form in
which Synapse writes events for application services. So its datastore and its serializer are taken from inside, here
and at the time of use: when a Synapse has them otherwise, the bridge's requests fail with 500 and the reason is in the
log, and the rest of the module goes on. ``tests/integration/test_module_stream.py`` tries all of it on a real Synapse.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from synapse.events.utils import FilteredEvent
from synapse.module_api import EventBase, JsonDict, LoggingTransaction, ModuleApi

from bitnexus_synapse_module.stream_request import Wanted

if TYPE_CHECKING:
    from synapse.events.utils import EventClientSerializer
    from synapse.storage.databases.main import DataStore

# Bounded by the range of positions and by the limit, in the order of the index over positions; rooms are looked up by
# their key. Outliers are events that Synapse has only heard of.
_EVENTS: Final = (
    "SELECT e.stream_ordering, e.event_id FROM events AS e INNER JOIN rooms AS r ON r.room_id = e.room_id"
    " WHERE ? < e.stream_ordering AND e.stream_ordering <= ? AND NOT e.outlier AND e.rejection_reason IS NULL"
    " AND r.creator IN ({creators}) ORDER BY e.stream_ordering LIMIT ?"
)
_RECEIPTS: Final = (
    "SELECT l.stream_id, l.room_id, l.event_id, l.user_id, l.receipt_type, l.data FROM receipts_linearized AS l"
    " INNER JOIN rooms AS r ON r.room_id = l.room_id WHERE ? < l.stream_id AND l.stream_id <= ?"
    " AND l.receipt_type IN ('m.read', 'm.read.private') AND r.creator IN ({creators}) ORDER BY l.stream_id LIMIT ?"
)

Row = tuple[Any, ...]


class StreamSource:
    """Reads the streams of the rooms that ``creators`` have created."""

    def __init__(self, api: ModuleApi, creators: frozenset[str]) -> None:
        self._api = api
        self._creators = sorted(creators)
        marks = ", ".join("?" for _ in self._creators)
        self._events_sql, self._receipts_sql = _EVENTS.format(creators=marks), _RECEIPTS.format(creators=marks)

    def events_end(self) -> int:
        """Give the position up to which every event has been persisted, whichever process writes it."""
        return self._store().get_room_max_stream_ordering()

    def receipts_end(self) -> int:
        """Give the same of receipts."""
        return self._store().get_receipts_stream_id_gen().get_current_token()

    async def events(self, wanted: Wanted) -> JsonDict:
        """Give a piece of the stream of events, each as an application service gets it, redacted as it is now."""
        end = self.events_end()
        rows = await self._select("bitnexus_events", self._events_sql, wanted, end)
        events = await self._store().get_events_as_list([event_id for _, event_id in rows], get_prev_content=True)
        return {
            "position": wanted.reached([position for position, _ in rows], end),
            "end": end,
            "events": await self._serialize([event for event in events if not _is_withheld(event)]),
        }

    async def receipts(self, wanted: Wanted) -> JsonDict:
        """Give a piece of the stream of receipts: the latest of each person in each room and thread, of both kinds."""
        end = self.receipts_end()
        rows = await self._select("bitnexus_receipts", self._receipts_sql, wanted, end)
        return {
            "position": wanted.reached([row[0] for row in rows], end),
            "end": end,
            "receipts": [receipt for row in rows if (receipt := _receipt(row)) is not None],
        }

    async def _select(self, name: str, sql: str, wanted: Wanted, end: int) -> list[Row]:
        upper = wanted.upper(end)
        if wanted.after >= upper:
            return []

        def read(txn: LoggingTransaction) -> list[Row]:
            txn.execute(sql, (wanted.after, upper, *self._creators, wanted.limit))
            return txn.fetchall()

        return await self._api.run_db_interaction(name, read)

    async def _serialize(self, events: Sequence[EventBase]) -> list[JsonDict]:
        """Write events as Synapse's ``ApplicationServiceApi`` does for its transactions."""
        serializer: EventClientSerializer = self._api._hs.get_event_client_serializer()
        config = await serializer.create_config(
            as_client_event=True, include_stripped_room_state=True, include_admin_metadata=True
        )
        filtered = [FilteredEvent.admin_override(event) for event in events]
        return await serializer.serialize_events(filtered, self._api.get_current_time_msec(), config=config)

    def _store(self) -> "DataStore":
        return self._api._hs.get_datastores().main


def _is_withheld(event: EventBase) -> bool:
    """Say whether Synapse withholds an event from clients: it came too late, by a server that was not allowed to."""
    return event.internal_metadata.is_soft_failed()


def _receipt(row: Row) -> JsonDict | None:
    """Give a receipt; one without a time, as another server might send it, is none."""
    _, room_id, event_id, user_id, receipt_type, data = row
    ts = json.loads(data).get("ts")
    if not isinstance(ts, int):
        return None
    return {"room_id": room_id, "event_id": event_id, "user_id": user_id, "receipt_type": receipt_type, "ts": ts}
