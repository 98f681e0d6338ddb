"""Wake the workers: at once in this process, and through PostgreSQL in the others.

A ``NOTIFY`` inside a data transaction would serialise all commits. So it has a transaction of its own, which nobody
waits for and which tells of all queues that were rung meanwhile; whoever misses it looks by itself a second later.
"""

import asyncio
import secrets
from collections.abc import Callable

import asyncpg
import structlog

from bridge.db.connection import Pool, connection_of, keep_session
from bridge.errors import DependencyDown
from bridge.ports import Queue
from bridge.telemetry import BELL_RINGS

_log = structlog.stdlib.get_logger("bridge.bell")

CHANNEL = "bitnexus_work"
_GATHER_SECONDS = 0.05


class Bell:
    """Rings for queues that have work; ``wake`` is this process's own worker."""

    def __init__(self, pool: Pool, url: str, wake: Callable[[Queue], None]) -> None:
        self._pool, self._url, self._wake = pool, url, wake
        self._name = secrets.token_hex(6)
        self._rung: set[Queue] = set()
        self._has_rung = asyncio.Event()

    def ring(self, queue: Queue) -> None:
        """Say, after the commit, that a queue has work."""
        self._wake(queue)
        self._rung.add(queue)
        self._has_rung.set()

    async def tell(self) -> None:
        """Tell the other processes what was rung here, until cancelled."""
        while True:
            await self._has_rung.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._has_rung.clear()
            queues: list[Queue] = sorted(self._rung)
            self._rung.clear()
            try:
                async with connection_of(self._pool) as connection:
                    # together they are a transaction, in one round trip
                    told = ",".join([self._name, *queues])
                    notify = f"SELECT pg_notify('{CHANNEL}', '{told}')"
                    await connection.execute(f"SET LOCAL synchronous_commit = off; {notify}")
            except (DependencyDown, asyncpg.PostgresError) as error:
                # the others look by themselves
                _log.warning("the bell was not heard outside", error=type(error).__name__)
                continue
            BELL_RINGS.labels("sent").inc()

    async def listen(self) -> None:
        """Wake our worker at what other processes ring, until cancelled."""
        await keep_session(
            self._url,
            application_name="bitnexus-chat-bell",
            begin=lambda connection: connection.add_listener(CHANNEL, self._hear),
        )

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        name, *queues = str(payload).split(",")
        if name == self._name:
            return
        BELL_RINGS.labels("heard").inc()
        for queue in ("inbox", "outbox", "reconcile", "people"):
            if queue in queues:
                self._wake(queue)
