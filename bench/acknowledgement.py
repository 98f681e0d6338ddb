"""How soon a transaction of Synapse is acknowledged: a PUT of 100 events beside a bare insert of the same rows.

Ours is the whole way: the request over a connection that is kept alive, the token, the JSON read, the rows stored and
committed, the answer. Beside it stands the very statement by which the bridge stores them, with the values made before,
as the same role, on a connection of this process, committed with the same fsync. Each transaction has new ids, and
the next one waits until the bridge has handled it: neither side shares the machine with that work.
"""

import asyncio
import json
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from bench.measure import Side, median, milliseconds, paired_order, rounded
from bench.rig import Rig
from bridge.db.bell import CHANNEL
from bridge.db.connection import set_codecs
from bridge.db.inbox import store_items
from bridge.matrix.events import STREAM_POSITION, parse_transaction

ROUNDS = 5
TRANSACTIONS = 20
EVENTS = 100
_OK = b"HTTP/1.1 200 OK"


async def measure_acknowledgement(rig: Rig) -> dict[str, Any]:
    """Return the medians of each round, and of the rounds."""
    seconds: dict[Side, list[list[float]]] = {"ours": [], "raw": []}
    sender = await _Sender.connected(rig)
    try:
        for side in ("ours", "raw", "ours", "raw"):
            await sender.acknowledge(side)  # have statements prepared and connections made
        for _, sides in paired_order(ROUNDS):
            for side in sides:
                seconds[side].append([])
            for _ in range(TRANSACTIONS):
                for side in sides:
                    seconds[side][-1].append(await sender.acknowledge(side))
    finally:
        await sender.close()
    return _figures([median(values) for values in seconds["ours"]], [median(values) for values in seconds["raw"]])


def _figures(ours: list[float], bare: list[float]) -> dict[str, Any]:
    ratios = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    return {
        "rounds": ROUNDS,
        "transactions_a_round": TRANSACTIONS,
        "events_a_transaction": EVENTS,
        "ours_ms": milliseconds(median(ours)),
        "bare_insert_ms": milliseconds(median(bare)),
        "ratio": round(median(ratios), 4),
        "ratio_by_round": rounded(ratios),
        "ours_ms_by_round": [milliseconds(value) for value in ours],
        "bare_insert_ms_by_round": [milliseconds(value) for value in bare],
    }


class _Sender:
    """Puts transactions to the bridge as Synapse does, or rows into PostgreSQL as the bridge does."""

    def __init__(
        self,
        rig: Rig,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: "asyncpg.Connection[asyncpg.Record]",
    ) -> None:
        self._rig, self._reader, self._writer, self._connection = rig, reader, writer, connection

    @classmethod
    async def connected(cls, rig: Rig) -> "_Sender":
        """Return a sender with both its connections open."""
        address = urlsplit(rig.stack.config.appservice.address)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        connection = await asyncpg.connect(rig.stack.config.database.url)
        await set_codecs(connection)
        return cls(rig, reader, writer, connection)

    async def close(self) -> None:
        """Close both connections."""
        self._writer.close()
        await self._connection.close()

    async def acknowledge(self, side: Side) -> float:
        """Return the seconds of one transaction, and leave the bridge with nothing to do."""
        body = transaction(self._rig)
        seconds = await (self._put(body) if side == "ours" else self._insert(body))
        await self._rig.idle()
        return seconds

    async def _put(self, body: bytes) -> float:
        head = (
            f"PUT /_matrix/app/v1/transactions/{uuid.uuid4().hex} HTTP/1.1\r\nHost: bridge\r\n"
            f"Authorization: Bearer {self._rig.stack.credentials.hs_token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        began = time.perf_counter()
        self._writer.write(head + body)
        answer = await self._reader.readuntil(b"\r\n\r\n{}")
        seconds = time.perf_counter() - began
        assert answer.startswith(_OK), answer
        return seconds

    async def _insert(self, body: bytes) -> float:
        items = parse_transaction(body).items
        began = time.perf_counter()
        new = await store_items(self._connection, items, [])
        seconds = time.perf_counter() - began
        assert new == EVENTS
        await self._connection.execute("SELECT pg_notify($1, 'bench,inbox')", CHANNEL)
        return seconds


def transaction(rig: Rig) -> bytes:
    """Return a transaction as Synapse makes one, of messages into all rooms, with event ids of its own."""
    room_ids = list(rig.rooms.values())
    events = [
        {
            "type": "m.room.message",
            "event_id": f"${uuid.uuid4().hex}",
            "room_id": room_ids[number % len(room_ids)],
            "sender": rig.reader,
            "origin_server_ts": 1_760_000_000_000 + number,
            "content": {"msgtype": "m.text", "body": f"Message {number} of a hundred, as long as people's are."},
            "unsigned": {"age": 12, STREAM_POSITION: 1_000_000 + number},
            "user_id": rig.reader,
            "age": 12,
        }
        for number in range(EVENTS)
    ]
    return json.dumps({"events": events}).encode()
