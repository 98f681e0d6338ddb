"""Where the controls are played: one rig for all, and for each run a room of its own and bridges of its own kind."""

import asyncio
import random
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path

from tests.faults.checker import check
from tests.faults.crash_points import Planted
from tests.faults.deck import seeded
from tests.faults.history import Input, Verdict
from tests.faults.load import Account, Log, Producer, Writer
from tests.faults.replica import Life
from tests.faults.report import log_lines
from tests.faults.rig import Rig, running_rig
from tests.faults.truth import Truth
from tests.support.backend import member_id
from tests.support.waiting import until

TENANTS, ROOMS = 2, 9
SWIFT = {
    "worker": {"lease_seconds": 1.0, "poll_seconds": 0.2},
    "repair": {"watch_seconds": 0.3, "interval_seconds": 0.6},
}
"""Settings under which what has to be waited for comes soon."""
_END_SECONDS = 20.0
_CLEAN_SECONDS = 30.0
_QUIET_SECONDS = 1.0
_BAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A room that nothing has happened in, with a person in it and a key that may write to it."""

    room_key: str
    room_id: str
    integration_key: str
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The rig, and rooms to play in."""

    rig: Rig
    truth: Truth
    places: Iterator[Place]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def new_run(self, *, off: tuple[str, ...], after: "Run | None" = None) -> "Run":
        """Return a run with all bridges down and everything between the parts whole.

        It has a room of its own, or goes on in the one of ``after``, whose inputs stay inputs.
        """
        await self.rig.end_bridges()
        for leg in self.rig.legs:
            leg.heal()
        self.rig.tap.tricks.clear()
        await self.rig.tap.settle()
        name = f"run-{next(self.numbers)}"
        if after is None:
            return Run(stage=self, place=next(self.places), off=off, name=name)
        return Run(stage=self, place=after.place, off=off, name=name, log=after.log)


@asynccontextmanager
async def running_stage(directory: Path, *, tenants: int = TENANTS, rooms: int = ROOMS) -> AsyncGenerator[Stage, None]:
    """Run a stage for as long as the block lasts."""
    async with running_rig(directory, overrides=SWIFT) as rig:
        await rig.start_bridges()
        places = [place for _ in range(tenants) for place in await _make_tenant(rig, rooms)]
        async with rig.truth() as truth:
            yield Stage(rig=rig, truth=truth, places=iter(places))


async def _make_tenant(rig: Rig, count_of_rooms: int) -> list[Place]:
    backend = rig.backends[0]
    rooms = [{"key": f"room-{n}", "type": "general", "name": f"Room {n}"} for n in range(count_of_rooms)]
    tenant_id = await backend.new_tenant(rooms=rooms, ann="member")
    account = Account(member_id=member_id(tenant_id, "ann"), backends=rig.backends, http=rig.http)
    await account.sign_in()
    key, found = await backend.integration_key(tenant_id), await account.rooms()
    return [
        Place(room_key=room["key"], room_id=found[room["key"]], integration_key=key, account=account) for room in rooms
    ]


@dataclass(slots=True, kw_only=True)
class Run:
    """One play of a scenario."""

    stage: Stage
    place: Place
    off: tuple[str, ...]
    name: str
    log: Log = field(default_factory=Log)
    rng: random.Random = field(init=False)
    _writer: Writer = field(init=False)
    _producers: list[Producer] = field(init=False)
    _logged_before: int = field(init=False)

    def __post_init__(self) -> None:
        self.rng = seeded(0, self.name)
        self._writer = Writer(
            name=f"{self.name}-ann", account=self.place.account, room_ids=[self.room_id], log=self.log, rng=self.rng,
            pause_seconds=0, gives_up=0,
        )  # fmt: skip
        self._logged_before = sum(1 for _ in log_lines([self.rig.replicas[0].log]))
        self._producers = [self._producer(number) for number in range(len(self.rig.replicas))]

    @property
    def rig(self) -> Rig:
        return self.stage.rig

    def many_sources(self, producers: int, *, longest_text: int) -> list[Producer | Writer]:
        """Return sources that write at once, a person among them."""
        sources = [replace(self._producers[0], name=f"{self.name}-many-{n}") for n in range(producers)]
        for source in sources:
            source.urls, source.longest_text = [replica.url for replica in self.rig.replicas], longest_text
            source.pause_seconds = 0.2
        return [*sources, replace(self._writer, pause_seconds=0.2)]

    @property
    def room_id(self) -> str:
        return self.place.room_id

    def _producer(self, number: int) -> Producer:
        server_name = self.rig.stack.config.homeserver.server_name
        return Producer(
            name=f"{self.name}-n8n-{number}", urls=[self.rig.replicas[number].url], key=self.place.integration_key,
            rooms=[(self.place.room_key, self.room_id)], sender=f"@bitnexus_relay:{server_name}", log=self.log,
            http=self.rig.http, rng=self.rng, pause_seconds=0, gives_up=0, repeats=0,
        )  # fmt: skip

    async def start(self, *planted: Planted, replica: int = 0, mistakes: tuple[str, ...] = ()) -> Life:
        """Start a bridge without the safeguards of this run; returns when it works."""
        bridge = self.rig.replicas[replica]
        await bridge.end()
        bridge.off = (*self.off, *mistakes)
        life = await bridge.start(planted)
        await asyncio.wait_for(life.works.wait(), _END_SECONDS)
        return life

    async def ended(self, life: Life) -> None:
        """Wait until a planted point has killed it."""
        await asyncio.wait_for(life.ended.wait(), _END_SECONDS)
        assert (life.status, bool(life.points)) == (-signal.SIGKILL, True), life

    async def post(self, *, replica: int = 0) -> Input:
        return await self._producers[replica].post()

    async def say(self) -> Input:
        return await self._writer.say()

    async def count(self, what: str) -> int:
        return self.rig.tap.counts[what]

    async def until_count(self, what: str) -> None:
        """Wait until the tap has played all the tricks it was given, and ``what`` among them."""
        assert self.rig.tap.counts[what] or self.rig.tap.tricks
        await until(self._tricks, lambda left: left == 0)

    async def _tricks(self) -> int:
        return len(self.rig.tap.tricks)

    async def until_kept(self) -> None:
        """Wait until the read model has all that was put in."""
        sql = "SELECT count(*) FROM chat_messages WHERE room_id = $1"
        all_of_it = len(self.log.inputs)
        await until(lambda: self.stage.truth.bridge.fetchval(sql, self.room_id), lambda found: found >= all_of_it)

    async def until_sent(self) -> None:
        """Wait until nothing waits to be sent."""
        sql = "SELECT count(*) FROM outbox WHERE room_id = $1 AND state = 'pending'"
        await until(lambda: self.stage.truth.bridge.fetchval(sql, self.room_id), lambda waiting: waiting == 0)

    async def fail_the_head(self, *, faults: int) -> bool:
        """Say that the lane's head has failed so often, once it has failed at all; returns whether it had."""
        sql = "UPDATE lanes SET faults = $2 WHERE queue = 'outbox' AND lane_key = $1 AND faults > 0"
        return (await self.stage.truth.bridge.execute(sql, self.room_id, faults)) == "UPDATE 1"

    async def has_buried_or_logged(self, line: str) -> bool:
        """Say whether a message of the room is dead, or the first bridge has logged ``line`` in this run."""
        sql = "SELECT count(*) FROM outbox WHERE room_id = $1 AND state = 'dead'"
        dead = await self.stage.truth.bridge.fetchval(sql, self.room_id)
        logged = any(
            entry.get("event") == line and entry.get("lane_key") == self.room_id
            for entry in islice(log_lines([self.rig.replicas[0].log]), self._logged_before, None)
        )
        return bool(dead) or logged

    async def let_a_day_pass(self) -> None:
        """Make first attempts a day old, and have Synapse forget transaction ids as it does after a day."""
        old = (
            "UPDATE outbox SET first_attempt_at = now() - interval '24 hours' WHERE room_id = $1 AND state = 'pending'"
        )
        assert await self.stage.truth.bridge.execute(old, self.room_id) == "UPDATE 1"
        await self.rig.stack.synapse.stop()  # some it knows in memory alone
        await self.stage.truth.synapse.execute("DELETE FROM event_txn_id_device_id")
        await self.rig.stack.synapse.start()

    async def judge(self, *, bad: str | None) -> Verdict:
        """Return the verdict once it will not change: clean and quiet, or ``bad`` for some seconds."""
        try:
            await until(lambda: self._is_over(bad), bool, seconds=_CLEAN_SECONDS if bad is None else _BAD_SECONDS)
        except AssertionError:
            return await self._verdict()
        if bad is None:
            await asyncio.sleep(_QUIET_SECONDS)  # what comes late must be seen, and there is no event that says so
        return await self._verdict()

    async def _is_over(self, bad: str | None) -> bool:
        await self.rig.tap.settle()
        verdict = await self._verdict()
        if bad is None:
            return verdict.is_clean
        # what is doubled or out of order stays so; what is lost may still come
        return bad != "lost" and bad in verdict.faults

    async def _verdict(self) -> Verdict:
        return check(await self.stage.truth.history(self.log.inputs, [self.room_id]))
