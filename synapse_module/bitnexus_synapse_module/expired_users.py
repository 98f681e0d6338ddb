"""Who may use nothing for now: a table of ours in Synapse's own database, and a copy of it in each process.

The table outlives Synapse and is seen by all of its workers. Each process looks at the table's version at most once a
second, and reads the table anew when that has changed; so asking costs nothing, and a worker that did not take the
bridge's request knows of it within a second.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import Counter, Gauge
from synapse.module_api import LoggingTransaction, ModuleApi, make_deferred_yieldable
from synapse.storage.engines import PostgresEngine
from twisted.internet.defer import DeferredLock

from bitnexus_synapse_module.expiry_request import Changes

logger = logging.getLogger(__name__)

MAX_AGE_SECONDS: Final = 1.0

CHANGES: Final = Counter(
    "bitnexus_module_expiry_changes", "People whom the bridge named as expired, or as restored.", ["change"]
)
EXPIRED: Final = Gauge(
    "bitnexus_module_expired_users", "People whose accounts are expired, as this process knows them."
)

_LOCK: Final = 0x62697473  # any constant: processes that start together make the tables one after another


class ExpiredUsers:
    """Asks and changes who is expired; ``now`` gives seconds that never go back."""

    def __init__(self, api: ModuleApi, now: Callable[[], float]) -> None:
        self._api, self._now = api, now
        self._users: frozenset[str] = frozenset()
        self._version: int | None = None
        self._looked_at = 0.0
        self._has_tables = False
        self._writing = DeferredLock()

    async def contains(self, user_id: str) -> bool:
        """Say whether an account is expired; one that the bridge never spoke of is not."""
        if self._version is None:
            await self._look()
        elif self._now() - self._looked_at >= MAX_AGE_SECONDS:
            # whoever comes while we look goes by what was known before: nobody waits in a row
            before, self._looked_at = self._looked_at, self._now()
            try:
                await self._look()
            except BaseException:
                self._looked_at = before
                raise
        return user_id in self._users

    async def change(self, changes: Changes) -> None:
        """Store the changes; once this returns, this process goes by them."""

        def write(txn: LoggingTransaction) -> None:
            _delete(txn, changes.expired | changes.restored)
            txn.execute_batch(
                "INSERT INTO bitnexus_expired_users (user_id) VALUES (?)",
                [(user_id,) for user_id in sorted(changes.expired)],
            )
            txn.execute("UPDATE bitnexus_expiry SET version = version + 1")

        await self._make_tables()
        # one at a time: PostgreSQL would let all but one of those that come together fail
        await make_deferred_yieldable(self._writing.acquire())
        try:
            await self._api.run_db_interaction("bitnexus_expire_users", write)
        finally:
            self._writing.release()
        await self._look()
        CHANGES.labels("expired").inc(len(changes.expired))
        CHANGES.labels("restored").inc(len(changes.restored))

    async def _look(self) -> None:
        """Read the table, if it is not of the version that we know."""
        known = self._version

        def read(txn: LoggingTransaction) -> tuple[int, frozenset[str]] | None:
            txn.execute("SELECT version FROM bitnexus_expiry")
            ((version,),) = txn.fetchall()
            if version == known:
                return None
            txn.execute("SELECT user_id FROM bitnexus_expired_users")
            return version, frozenset(user_id for (user_id,) in txn)

        await self._make_tables()
        looked_at = self._now()
        found = await self._api.run_db_interaction("bitnexus_expired_users", read)
        if found is not None and (self._version is None or found[0] > self._version):
            self._version, self._users = found
            EXPIRED.set(len(self._users))
        self._looked_at = max(self._looked_at, looked_at)

    async def _make_tables(self) -> None:
        if not self._has_tables:
            await self._api.run_db_interaction("bitnexus_make_tables", _make)
            self._has_tables = True


def _make(txn: LoggingTransaction) -> None:
    if isinstance(txn.database_engine, PostgresEngine):
        txn.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
    txn.execute("CREATE TABLE IF NOT EXISTS bitnexus_expired_users (user_id TEXT NOT NULL PRIMARY KEY)")
    txn.execute("CREATE TABLE IF NOT EXISTS bitnexus_expiry (name TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)")
    txn.execute("INSERT INTO bitnexus_expiry (name, version) VALUES ('users', 0) ON CONFLICT DO NOTHING")


def _delete(txn: LoggingTransaction, user_ids: Iterable[str]) -> None:
    txn.execute_batch(
        "DELETE FROM bitnexus_expired_users WHERE user_id = ?", [(user_id,) for user_id in sorted(user_ids)]
    )
