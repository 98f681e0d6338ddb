"""Many tenants against a counting homeserver and a real PostgreSQL: what the engine itself takes."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.fake_homeserver import CountingHomeserver
from bench.tenants import Size, ask_for_all, store_wishes, tenant_of
from bridge.actions.apply_effect import ApplyEffect
from bridge.actions.plan_tenant import PlanTenant
from bridge.actions.put_member import PutMember
from bridge.actions.reconcile_tenant import ReconcileTenant
from bridge.app import migrate_database
from bridge.config import Config
from bridge.db.connection import open_pool
from bridge.db.database import PostgresDatabase
from bridge.db.lanes import LaneStore
from bridge.demo.bridge_process import BridgeProcess
from bridge.demo.ports import Ports
from bridge.demo.probe import answers_ok
from bridge.demo.process import Process
from bridge.demo.stack import Stack, build_stack
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.ids import MemberID, TenantID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Role
from bridge.parts import house_of, open_pools
from bridge.system import SystemClock, SystemEntropy
from bridge.worker import Worker

DAY = 86400.0
_LANES = 8
_WARM_UP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """PostgreSQL with our schema, and the engine on it; no Synapse."""

    stack: Stack
    database: PostgresDatabase
    owner: "asyncpg.Pool[asyncpg.Record]"
    lanes: LaneStore

    @property
    def config(self) -> Config:
        """The bridge's settings."""
        return self.stack.config

    @property
    def house(self) -> MatrixHouse:
        """What rooms are laid out with."""
        return house_of(self.config)

    async def _has_open_jobs(self) -> bool:
        return bool(await self.owner.fetchval("SELECT EXISTS (SELECT FROM jobs WHERE finished_at IS NULL)"))

    async def work_off(self, homeserver: CountingHomeserver) -> float:
        """Run a worker until no job is open; return how long it took."""
        apply = ApplyEffect(database=self.database, homeserver=homeserver)  # type: ignore[arg-type] # as much as it needs
        reconcile = ReconcileTenant(
            database=self.database,
            homeserver=homeserver,  # type: ignore[arg-type] # as above
            house=self.house,
            apply=apply,
            clock=SystemClock(),
        )
        worker = Worker(
            lanes=self.lanes, actions={"reconcile": reconcile}, concurrency=_LANES, lease_seconds=30, poll_seconds=0.05
        )
        began = time.perf_counter()
        worker.start()
        while True:
            await asyncio.sleep(0.02)
            if not await self._has_open_jobs():
                break
        seconds = time.perf_counter() - began
        await worker.stop(drain_seconds=5)
        return seconds


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Run PostgreSQL for as long as the block lasts, migrated and empty."""
    stack = build_stack(folder, Ports.free(), with_model=False)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(stack.postgres.stop)
        await stack.postgres.start()
        await migrate_database(stack.config)
        app, system = await open_pools(stack.config, opened, size=2 * _LANES, application_name="bench")
        owner = await open_pool(stack.postgres_dsn, size=2, application_name="bench-owner")
        opened.push_async_callback(owner.close)
        bots = house_of(stack.config).bots
        database = PostgresDatabase(app, system, bots=bots, clock=SystemClock(), wake=lambda _queue: None)
        yield Ground(stack=stack, database=database, owner=owner, lanes=LaneStore(app))


async def measure_many(folder: Path, tenants: int, size: Size) -> dict[str, object]:
    """Make so many tenants from nothing, find that nothing is to do, and read all of them once."""
    async with ground(folder) as site:
        homeserver = CountingHomeserver(site.house.bots)
        await store_wishes(site.owner, range(tenants), size, site.house, stands=False)
        await ask_for_all(site.owner, verify=False)
        seconds = await site.work_off(homeserver)
        failed = await site.owner.fetchval("SELECT count(*) FROM jobs WHERE state <> 'done'")
        if failed:
            raise RuntimeError(f"{failed} reconciles failed")
        calls = dict(sorted(homeserver.calls.items()))
        made = {"seconds": round(seconds, 1), "calls": calls, **_against_fewest(calls, tenants * size.fewest_calls)}
        homeserver.calls.clear()
        steady = await _steady(site, tenants, size, homeserver)
        await ask_for_all(site.owner, verify=True)
        read = await site.work_off(homeserver)
        verified = {"seconds": round(read, 1), "calls": dict(homeserver.calls), "rooms": tenants * (size.rooms + 1)}
    return {
        "tenants": tenants,
        "rooms": size.rooms,
        "members": size.members,
        "made": made | {"effects_per_second": round(tenants * size.fewest_calls / seconds)},
        "steady": steady,
        "verification": verified,
    }


def _against_fewest(calls: dict[str, int], fewest: int) -> dict[str, object]:
    total = sum(calls.values())
    return {"calls_in_all": total, "fewest_calls": fewest, "calls_to_fewest": round(total / fewest, 4)}


async def _steady(site: Ground, tenants: int, size: Size, homeserver: CountingHomeserver) -> dict[str, object]:
    """Ask who needs anything, as the bridge does once a minute; and plan every tenant anew, which it never does."""
    looks: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        due = await site.database.tenants_due(verify_seconds=DAY, look_seconds=60)
        looks.append(time.perf_counter() - began)
        if due:
            raise RuntimeError(f"{len(due)} tenants do not stand")
    plan = PlanTenant(database=site.database, house=site.house)
    began = time.perf_counter()
    for number in range(tenants):
        found, _ = await plan(TenantID(tenant_of(number, size, site.house).tenant_id))
        if found.effects:
            raise RuntimeError("a plan is not empty")
    planned = time.perf_counter() - began
    return {
        "calls": sum(homeserver.calls.values()),
        "look_at_all_seconds": round(statistics.median(looks), 4),
        "plan_of_all_seconds": round(planned, 2),
    }


async def measure_growth(folder: Path, counts: tuple[int, ...], size: Size) -> list[dict[str, object]]:
    """Measure with more and more tenants that stand: a look at all, one change, and what an idle bridge holds."""
    found: list[dict[str, object]] = []
    async with ground(folder) as site:
        before = 0
        for count in counts:
            await store_wishes(site.owner, range(before, count), size, site.house, stands=True)
            await site.owner.execute("VACUUM ANALYZE")
            await site.owner.execute("CHECKPOINT")  # what was just stored is on disk before anything is measured
            before = count
            found.append(await _at(site, count, size))
    return found


async def _at(site: Ground, count: int, size: Size) -> dict[str, object]:
    looks: list[float] = []
    for _ in range(9):
        began = time.perf_counter()
        await site.database.tenants_due(verify_seconds=DAY, look_seconds=60)
        looks.append(time.perf_counter() - began)
    changes = [await _change(site, count, size, number) for number in range(_WARM_UP + 9)][_WARM_UP:]
    return {
        "tenants": count,
        "look_at_all_ms": round(statistics.median(looks) * 1000, 2),
        "one_change_ms": round(statistics.median(changes) * 1000, 1),
        "bridge_rss_kb": await _idle_bridge(site.stack),
    }


async def _change(site: Ground, count: int, size: Size, number: int) -> float:
    """Put one more person into some tenant, and return how long it takes until they are in every room."""
    tenant = tenant_of(number * count // 20, size, site.house)
    put = PutMember(database=site.database, house=site.house, entropy=SystemEntropy(human_prefix="u_"))
    homeserver = CountingHomeserver(site.house.bots)
    began = time.perf_counter()
    name = MemberID(f"late-{count}-{number}")
    await put(tenant.tenant_id, name, role=Role.MEMBER, display_name="Late", acting_user=PLATFORM_ACTOR)
    await site.work_off(homeserver)
    return time.perf_counter() - began


async def _idle_bridge(stack: Stack) -> int:
    """Return the resident memory in KB of a bridge that has nothing to do, some seconds after its start."""
    bridge: BridgeProcess = stack.bridge
    process = Process(
        name="Bridge",
        argv=(sys.executable, "-m", "bridge", "run", "--config", str(bridge.config_path)),
        log=bridge.log,
        cwd=Path(__file__).parents[1],
        roster=stack.roster,
    )
    await process.start()
    try:
        await process.ready(answers_ok(f"{bridge.url}/live"), seconds=60)
        await asyncio.sleep(4)  # its chores have looked by then
        status = await asyncio.to_thread(Path(f"/proc/{process.pid}/status").read_text)
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    finally:
        await process.stop()
