"""Watching Synapse: when it is pinged, when gaps are looked for, and how far; and what goes wrong meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from bridge.actions.repair_gaps import RepairGaps
from bridge.errors import DependencyDown, HomeserverRefused
from bridge.model.stream import RepairReason, StreamEnds, StreamName, StreamPage
from bridge.watch import Watch
from tests.support.waiting import until as seen
from tests.unit.fake_edges import FakeClock

AWAY = DependencyDown("away")
REFUSED = HomeserverRefused("no such module", errcode="M_UNRECOGNIZED", http_status=404)
INTERVAL = 30.0


@dataclass
class World:
    """Synapse, its module and our tables; what happens is written down, what is asked for may fail."""

    ends: StreamEnds = field(default_factory=lambda: StreamEnds(instance="one", events=5, receipts=3))
    done: list[str] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)
    positions: dict[StreamName, int] = field(default_factory=lambda: {"events": 0, "receipts": 0})
    attempts: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    looks: int = 0
    clock: FakeClock = field(default_factory=FakeClock)

    def watch(self) -> Watch:
        return Watch(
            stream=self,
            ping=self.act("ping"),
            repair=RepairGaps(stream=self, gaps=self),
            hurry=self.act("hurry"),
            clock=self.clock,
            watch_seconds=0.01,
            interval_seconds=INTERVAL,
        )

    def act(self, name: str) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            self.fail_if(name)
            self.done.append(name)

        return do

    def fail_if(self, name: str) -> None:
        self.attempts[name] += 1
        if name in self.failing:
            raise self.failing[name]

    async def present(self) -> StreamEnds:
        self.looks += 1
        self.fail_if("present")
        return self.ends

    async def read(self, stream: StreamName, *, after: int, until: int | None, limit: int) -> StreamPage:
        self.fail_if("read")
        end = self.ends.events if stream == "events" else self.ends.receipts
        return StreamPage(items=(), unparsable=(), position=min(after + limit, until or end), end=end)

    async def position(self, stream: StreamName) -> int:
        return self.positions[stream]

    async def store(self, stream: StreamName, page: StreamPage, *, reason: RepairReason) -> int:
        self.done.append(f"{reason} {stream} to {page.position}")
        return self.missing

    async def look(self, times: int = 3) -> list[str]:
        """Let the watch look some times more, and give what it did."""
        wanted = self.looks + times
        await seen(self.count, lambda looks: looks >= wanted)
        done, self.done = self.done, []
        return done

    async def count(self) -> int:
        return self.looks

    async def count_hurries(self) -> int:
        return self.attempts["hurry"]


def comparison(reason: str, events: int, receipts: int) -> list[str]:
    return [f"{reason} events to {events}", f"{reason} receipts to {receipts}"]


@asynccontextmanager
async def running(watch: Watch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_at_the_start_synapse_is_pinged_and_gaps_are_looked_for_once() -> None:
    world = World()
    async with running(world.watch()):
        assert await world.look() == ["hurry", "ping", *comparison("start", 5, 3)]
        assert await world.look() == []


async def test_what_was_missing_is_handled_without_delay() -> None:
    world = World(missing=2)
    async with running(world.watch()):
        assert await world.look() == ["hurry", "ping", *comparison("start", 5, 3), "hurry"]


async def test_the_timer_looks_at_what_is_one_interval_old() -> None:
    world = World()
    async with running(world.watch()):
        await world.look()
        world.ends = StreamEnds(instance="one", events=50, receipts=30)
        assert await world.look() == []
        world.clock.pass_seconds(INTERVAL)
        assert await world.look() == comparison("timer", 5, 3)
        world.ends = StreamEnds(instance="one", events=70, receipts=40)
        world.clock.pass_seconds(INTERVAL)
        assert await world.look() == comparison("timer", 50, 30)


async def test_a_synapse_that_was_started_anew_is_pinged_and_compared_to_its_end() -> None:
    world = World()
    async with running(world.watch()):
        await world.look()
        world.ends = StreamEnds(instance="two", events=9, receipts=3)
        assert await world.look() == ["hurry", "ping", *comparison("trouble", 9, 3)]
        assert await world.look() == []


async def test_trouble_that_others_notice_is_looked_into_at_once() -> None:
    world = World()
    watch = world.watch()
    async with running(watch):
        await world.look()
        watch.notice_trouble()
        assert await world.look() == ["hurry", "ping", *comparison("trouble", 5, 3)]


async def test_while_synapse_is_away_nothing_else_happens_and_then_all_of_it() -> None:
    world = World()
    async with running(world.watch()):
        await world.look()
        hurries, world.failing = world.attempts["hurry"], {"ping": AWAY, "present": AWAY}
        await seen(world.count_hurries, lambda attempts: attempts >= hurries + 2)
        assert set(world.done) == {"hurry"}
        world.done, world.failing = [], {}
        assert await world.look() == ["hurry", "ping", *comparison("trouble", 5, 3)]


async def test_a_database_that_is_away_is_waited_for_before_synapse_is_pinged() -> None:
    world = World(failing={"hurry": AWAY})
    async with running(world.watch()):
        await seen(world.count_hurries, lambda hurries: hurries >= 2)
        assert (world.done, world.looks) == ([], 0)
        world.failing = {}
        assert await world.look() == ["hurry", "ping", *comparison("start", 5, 3)]


async def test_without_the_module_synapse_is_pinged_once_all_the_same() -> None:
    world = World(failing={"present": REFUSED})
    async with running(world.watch()):
        assert await world.look(5) == ["hurry", "ping"]
        world.failing = {}
        assert await world.look() == comparison("start", 5, 3)


async def test_what_synapse_cannot_send_for_want_of_a_way_to_us_is_read_all_the_same() -> None:
    world = World(failing={"ping": AWAY})
    async with running(world.watch()):
        once = ["hurry", *comparison("start", 5, 3)]
        assert (await world.look(3))[:6] == once * 2
        world.failing = {}
        assert (await world.look())[-4:] == ["hurry", "ping", *comparison("start", 5, 3)]
        assert await world.look() == []


async def test_a_comparison_that_fails_is_made_again() -> None:
    world = World(failing={"read": AWAY})
    async with running(world.watch()):
        await world.look(2)
        world.failing = {}
        assert await world.look() == ["hurry", "ping", *comparison("start", 5, 3)]
