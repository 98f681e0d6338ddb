"""Those who break things, each in a loop of its own: the bridges, Synapse and PostgreSQL, the network, transactions."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.faults.crash_points import POINTS, Planted
from tests.faults.deck import Deck
from tests.faults.replica import Life, Replica
from tests.faults.rig import Rig
from tests.faults.tap import TRICKS
from tests.support.waiting import until

FROZEN_BRIDGE_SECONDS = (2.0, 4.0)
"""Longer than a lane's lease."""
_FROZEN_PART_SECONDS = (1.0, 2.5)
_UP_SECONDS = 3.0
_NET_SECONDS = (0.4, 1.2)
_PATIENCE_SECONDS = 1.0
_KILLED_EARLY = 0.2

BridgeFault = str
BRIDGE_FAULTS: Mapping[BridgeFault, int] = {"killed at a point": 11, "killed": 8, "frozen": 1, "stopped": 2}
_FAILED_START_SECONDS = 0.25
"""A bridge that cannot start is started again after this, as systemd would."""
PART_FAULTS = (
    "Synapse killed",
    "PostgreSQL's backend killed",
    "Synapse frozen",
    "PostgreSQL stopped at once",
    "Synapse stopped",
    "PostgreSQL frozen",
)
NET_FAULTS = ("cut", "slow", "throttled", "deaf")
TRANSACTION_FAULTS = (*TRICKS, "replayed", "ids from 1")


@dataclass(slots=True, kw_only=True)
class BridgeTormentor:
    """Has one bridge live short lives: each is a fork, some work, and an end of a kind drawn from the deck."""

    rig: Rig
    replica: Replica
    rng: random.Random
    lifetime_seconds: tuple[float, float]
    _kinds: Deck[BridgeFault] = field(init=False)
    _points: Deck[str] = field(init=False)

    def __post_init__(self) -> None:
        self._kinds, self._points = Deck(self.rng, BRIDGE_FAULTS), Deck(self.rng, POINTS)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until ``stop``; the bridge is down then."""
        while not stop.is_set():
            kind = self._kinds.draw()
            planted = ()
            if kind == "killed at a point":
                planted = (Planted(point=self._points.draw(), passage=self.rng.randint(1, 8)),)
            life = await self.replica.start(planted)
            await self._let_live(life, is_patient=bool(planted))
            self.rig.ledger.note(f"bridge {await self._end(life, kind)}")
            if life.status not in {0, -signal.SIGKILL}:
                await _stopped(stop, _FAILED_START_SECONDS)
        await self.replica.end()

    async def _let_live(self, life: Life, *, is_patient: bool) -> None:
        """Let it begin to work, mostly, and work a little; one that shall come to a point gets more time for it."""
        if is_patient or self.rng.random() > _KILLED_EARLY:
            await _stopped(life.works, _UP_SECONDS)
        await _ended(life, self.rng.uniform(*self.lifetime_seconds) + is_patient * _PATIENCE_SECONDS)

    async def _end(self, life: Life, kind: BridgeFault) -> str:
        if life.ended.is_set():
            return kind if life.points else "ended by itself"
        if kind == "frozen":
            life.send_signal(signal.SIGSTOP)
            await _ended(life, self.rng.uniform(*FROZEN_BRIDGE_SECONDS))
            life.send_signal(signal.SIGCONT)
            await _ended(life, self.rng.uniform(*self.lifetime_seconds))
        if kind == "stopped":
            life.send_signal(signal.SIGTERM)
            await _ended(life, 12)
            if life.ended.is_set():
                return kind
        await life.end(signal.SIGKILL)
        return "killed" if kind == "killed at a point" else kind


@dataclass(slots=True, kw_only=True)
class PartTormentor:
    """Kills, stops and freezes Synapse and PostgreSQL, one thing at a time, with a rest between."""

    rig: Rig
    rng: random.Random
    rest_seconds: tuple[float, float]
    _kinds: Deck[str] = field(init=False)

    def __post_init__(self) -> None:
        self._kinds = Deck(self.rng, PART_FAULTS)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until ``stop``; both parts are up then."""
        acts: Mapping[str, Callable[[], Awaitable[None]]] = {
            "Synapse killed": self._kill_synapse,
            "Synapse stopped": self._stop_synapse,
            "Synapse frozen": lambda: self._freeze([self.rig.stack.synapse.process.pid]),
            "PostgreSQL's backend killed": self._kill_backend,
            "PostgreSQL stopped at once": self._stop_postgres_at_once,
            "PostgreSQL frozen": lambda: self._freeze(self._postgres_pids()),
        }
        while not await _stopped(stop, self.rng.uniform(*self.rest_seconds)):
            kind = self._kinds.draw()
            self.rig.ledger.note(kind)
            await acts[kind]()

    def _killed(self, what: str) -> None:
        self.rig.ledger.note(what, is_kill=True)

    async def _kill_synapse(self) -> None:
        await self.rig.stack.synapse.process.kill()
        self._killed("Synapse")
        await self.rig.stack.synapse.start()

    async def _stop_synapse(self) -> None:
        await self.rig.stack.synapse.stop()
        await self.rig.stack.synapse.start()

    async def _kill_backend(self) -> None:
        """Kill a process of PostgreSQL, at which it ends all connections and recovers from its log."""
        dsn = self.rig.stack.postgres.dsn("postgres", "postgres")
        connection = await asyncpg.connect(dsn)
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE usename IN ('bitnexus_app', 'synapse') ORDER BY pid"
        )
        connection.terminate()
        pids = {row["pid"] for row in rows} & set(
            self._postgres_pids()
        )  # a bridge that died may have taken its own along
        if pids and _signal_all([self.rng.choice(sorted(pids))], signal.SIGKILL):
            self._killed("PostgreSQL's backend")
        await until(lambda: answers(dsn), bool, seconds=60)

    async def _stop_postgres_at_once(self) -> None:
        """Have PostgreSQL end without any care ("immediate"), and start it: it recovers from its log."""
        process = self.rig.stack.postgres.process
        os.kill(process.pid, signal.SIGQUIT)
        await process.wait()
        self._killed("PostgreSQL")
        await self.rig.stack.postgres.start()

    def _postgres_pids(self) -> list[int]:
        pid = self.rig.stack.postgres.process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())]

    async def _freeze(self, pids: Sequence[int]) -> None:
        _signal_all(pids, signal.SIGSTOP)
        try:
            await asyncio.sleep(self.rng.uniform(*_FROZEN_PART_SECONDS))
        finally:
            _signal_all(pids, signal.SIGCONT)


@dataclass(slots=True, kw_only=True)
class NetTormentor:
    """Cuts, slows and deafens the ways from the bridges to Synapse and to PostgreSQL."""

    rig: Rig
    rng: random.Random
    rest_seconds: tuple[float, float]

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until ``stop``; both ways are whole then."""
        pairs = Deck(self.rng, [(leg, kind) for leg in range(len(self.rig.legs)) for kind in NET_FAULTS])
        while not await _stopped(stop, self.rng.uniform(*self.rest_seconds)):
            number, kind = pairs.draw()
            leg = self.rig.legs[number]
            if kind == "cut":
                leg.cut()
            elif kind == "slow":
                leg.delay_seconds = self.rng.uniform(0.02, 0.15)
            elif kind == "throttled":
                leg.bytes_per_second = self.rng.uniform(20_000, 200_000)
            else:
                leg.is_deaf = True
            self.rig.ledger.note(f"{leg.name} {kind}")
            await _stopped(stop, self.rng.uniform(*_NET_SECONDS))
            leg.heal()


@dataclass(slots=True, kw_only=True)
class TransactionTormentor:
    """Spoils transactions under way, and plays old ones again."""

    rig: Rig
    rng: random.Random
    rest_seconds: tuple[float, float]

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until ``stop``."""
        kinds, tap = Deck(self.rng, TRANSACTION_FAULTS), self.rig.tap
        while not await _stopped(stop, self.rng.uniform(*self.rest_seconds)):
            kind = kinds.draw()
            if kind in TRICKS:
                tap.tricks.append(kind)
            else:
                await tap.play_again(self.rng, most=5, start_again=kind == "ids from 1")
        tap.tricks.clear()


async def answers(dsn: str) -> bool:
    """Say whether PostgreSQL answers now."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


def _signal_all(pids: Sequence[int], number: signal.Signals) -> int:
    """Signal processes and return how many of them were there still."""
    reached = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            reached += 1
    return reached


async def _ended(life: Life, seconds: float) -> bool:
    """Wait for a life's end, ``seconds`` at most; say whether it came."""
    return await _stopped(life.ended, seconds)


async def _stopped(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
