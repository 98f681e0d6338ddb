"""A worker on a stage: lanes that are ready, actions that a test writes, and what became of both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from bridge.model.ids import TenantID
from bridge.model.job import Lane
from bridge.ports import Queue
from bridge.worker import Worker

SOON = 5.0
"""How long a test waits for what should happen at once."""


def lane(key: str, *, queue: Queue = "inbox", attempts: int = 0, faults: int = 0, tenant: str | None = None) -> Lane:
    tenant_id = TenantID(tenant) if tenant else None
    return Lane(queue=queue, lane_key=key, tenant_id=tenant_id, fence=1, attempts=attempts, faults=faults)


class FakeLanes:
    """Lanes that are ready, and what became of them; implements the port ``Lanes``."""

    def __init__(self, *ready: Lane) -> None:
        self.ready = list(ready)
        self.limits: list[int] = []
        self.turns: list[tuple[dict[TenantID | None, int], int]] = []
        self.held: set[str] = set()
        self.claim_failures: list[Exception] = []
        self.release_failures: list[Exception] = []
        self.released: asyncio.Queue[tuple[str, float | None]] = asyncio.Queue()
        self.renewed: asyncio.Queue[str] = asyncio.Queue()
        self.claimed: asyncio.Queue[int] = asyncio.Queue()
        self.renew_failures: list[Exception] = []
        self.told: dict[str, tuple[str | None, bool]] = {}
        self.new_heads: dict[str, float | None] = {}
        self.lost: set[str] = set()
        self.claim_answer = asyncio.Event()
        self.claim_answer.set()
        self.release_gate = asyncio.Event()
        self.release_gate.set()

    async def claim(
        self,
        queue: Queue,
        *,
        limit: int,
        lease_seconds: float,
        held: Mapping[TenantID | None, int],
        most_per_tenant: int,
    ) -> Sequence[Lane]:
        assert lease_seconds > 0
        self.limits.append(limit)
        self.turns.append((dict(held), most_per_tenant))
        if self.claim_failures:
            self.claimed.put_nowait(-1)
            raise self.claim_failures.pop(0)
        free = {found.lane_key: found for found in reversed(self.ready) if found.queue == queue}
        claimed = [free[key] for key in sorted(free.keys() - self.held)][:limit]
        for found in claimed:
            self.ready.remove(found)
            self.held.add(found.lane_key)
        self.claimed.put_nowait(len(claimed))
        await self.claim_answer.wait()
        return claimed

    async def renew(self, lane: Lane, *, lease_seconds: float) -> bool:
        assert lease_seconds > 0
        self.renewed.put_nowait(lane.lane_key)
        if self.renew_failures:
            raise self.renew_failures.pop(0)
        return lane.lane_key not in self.lost

    async def hurry(self) -> None:
        raise AssertionError("not the worker's to do")

    async def release(
        self,
        lane: Lane,
        *,
        retry_after_seconds: float | None = None,
        new_head_after_seconds: float | None = None,
        error: str | None = None,
        is_fault: bool = False,
    ) -> bool:
        await self.release_gate.wait()
        self.held.discard(lane.lane_key)
        self.told[lane.lane_key] = (error, is_fault)
        self.new_heads[lane.lane_key] = new_head_after_seconds
        self.released.put_nowait((lane.lane_key, retry_after_seconds))
        if self.release_failures:
            raise self.release_failures.pop(0)
        return any(found.lane_key == lane.lane_key for found in self.ready)


Run = Callable[[Lane], Awaitable[int]]


class FakeAction:
    """An action whose run is a function of the test's, and which remembers what it had to bury."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.buried: list[tuple[str, str]] = []
        self.bury_failures: list[Exception] = []

    async def __call__(self, lane: Lane) -> int:
        return await self._run(lane)

    async def bury(self, lane: Lane, error: str) -> None:
        if self.bury_failures:
            raise self.bury_failures.pop(0)
        self.buried.append((lane.lane_key, error))


@asynccontextmanager
async def working(
    lanes: FakeLanes, run: Run | FakeAction, *, concurrency: int = 8, lease_seconds: float = 60.0
) -> AsyncIterator[Worker]:
    """Run a worker that polls once a minute: whatever happens sooner, a bell has rung."""
    action = run if isinstance(run, FakeAction) else FakeAction(run)
    worker = Worker(
        lanes=lanes,
        actions={"inbox": action, "outbox": action, "reconcile": action},
        concurrency=concurrency,
        lease_seconds=lease_seconds,
        poll_seconds=60.0,
    )
    worker.start()
    try:
        yield worker
    finally:
        await soon(worker.stop(drain_seconds=0))


async def soon(awaitable: Awaitable[object]) -> object:
    return await asyncio.wait_for(awaitable, SOON)


async def one_item(_lane: Lane) -> int:
    return 1
