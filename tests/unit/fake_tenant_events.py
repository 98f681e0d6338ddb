"""What happened in a tenant, in memory."""

from collections.abc import Sequence
from datetime import datetime

from bridge.model.tenant_event import TenantEvent
from tests.unit.fake_stores import Store


class FakeTenantEvents(Store):
    async def add(self, *events: TenantEvent) -> None:
        now = self._database.clock.now()
        self._memory.events += [(self._tenant_id, now, event) for event in events]

    async def list_after(self, event_row: int, *, limit: int) -> Sequence[tuple[int, TenantEvent]]:
        numbered = enumerate(self._memory.events, start=1)
        own = [(row, event) for row, (tenant_id, _, event) in numbered if tenant_id == self._tenant_id]
        return [(row, event) for row, event in own if row > event_row][:limit]

    async def forget(self, before: datetime) -> int:
        old = [found for found in self._memory.events if found[0] == self._tenant_id and found[1] < before]
        self._memory.events = [found for found in self._memory.events if found not in old]
        return len(old)
