"""Forget what has served its time: handled events, idempotency keys, finished jobs, expired sessions."""

from dataclasses import dataclass
from datetime import timedelta

from bridge.model.ids import PLATFORM, TenantID
from bridge.ports import Clock, Database, Sessions

# Synapse repeats a transaction until it is answered, and never one of a month ago
HANDLED_EVENTS = timedelta(days=30)
IDEMPOTENCY_KEYS = timedelta(days=7)
FINISHED_JOBS = timedelta(days=30)
EARLY_CHANGES = timedelta(days=7)
TENANT_EVENTS = timedelta(days=7)

_BATCH = 5000
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOldRows:
    """Delete in small transactions, so that nobody waits for it."""

    database: Database
    sessions: Sessions
    clock: Clock

    async def __call__(self) -> int:
        """Return how many rows were forgotten; raises DependencyDown."""
        swept = await self._sweep_inbox() + await self.sessions.forget_expired()
        after: TenantID | None = None
        while page := await self.database.list_tenants(after=after, limit=_PAGE):
            for tenant in page:
                swept += await self._sweep_tenant(tenant.tenant_id)
            after = page[-1].tenant_id
        return swept

    async def _sweep_inbox(self) -> int:
        before, swept, count = self.clock.now() - HANDLED_EVENTS, 0, _BATCH
        while count == _BATCH:
            async with self.database.work(PLATFORM) as work:
                count = await work.inbox.forget_handled(before, limit=_BATCH)
            swept += count
        return swept

    async def _sweep_tenant(self, tenant_id: TenantID) -> int:
        now = self.clock.now()
        async with self.database.work(tenant_id) as work:
            receipts = await work.outbox.forget_receipts(now - IDEMPOTENCY_KEYS)
            jobs = await work.jobs.forget_finished(now - FINISHED_JOBS)
            changes = await work.messages.forget_early_changes(now - EARLY_CHANGES)
            events = await work.events.forget(now - TENANT_EVENTS)
        return receipts + jobs + changes + events
