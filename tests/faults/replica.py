"""Bridges on one PostgreSQL, started in milliseconds by the zygote, killed, frozen, thawed and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bridge.demo.process import tied_to_parent
from tests.faults.crash_points import Planted
from tests.faults.zygote import Order, Told

CHECKOUT = Path(__file__).parents[2]
_START_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Life:
    """One process of a bridge, from its fork to its end."""

    pid: int
    works: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it was attached to Synapse; and at its end, so that nobody waits in vain."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    status: int | None = None
    points: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it came to a planted point."""

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended gets none."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal that ends it, and wait for the end; returns the status, minus a signal's number."""
        self.send_signal(number)
        await self.ended.wait()
        assert self.status is not None
        return self.status


class Zygote:
    """Talks to the process of ``zygote.py``; ``on_end`` hears of each life that is over."""

    def __init__(self, process: asyncio.subprocess.Process, on_end: Callable[[Life], None]) -> None:
        self._process, self._on_end = process, on_end
        self._lives: dict[int, Life] = {}
        self._forked: asyncio.Queue[Life] = asyncio.Queue()
        self._turn = asyncio.Lock()

    async def fork(self, order: Order) -> Life:
        """Start a bridge; returns at once, long before it is ready."""
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            async with asyncio.timeout(_START_SECONDS):
                return await self._forked.get()

    async def listen(self) -> None:
        """Take in what the zygote tells, until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._hear(msgspec.json.decode(line, type=Told))

    def _hear(self, told: Told) -> None:
        if told.what == "forked":
            self._forked.put_nowait(self._life(told.pid))
        elif told.what == "works":
            self._life(told.pid).works.set()
        elif told.what == "point":
            life = self._life(told.pid)
            life.points.append(told.point)
            life.reached.set()
        elif told.what == "ended":
            life = self._lives.pop(told.pid)
            life.status = told.status
            life.works.set()
            life.ended.set()
            self._on_end(life)

    def _life(self, pid: int) -> Life:
        return self._lives.setdefault(pid, Life(pid=pid))


@asynccontextmanager
async def running_zygote(log: Path, on_end: Callable[[Life], None]) -> AsyncGenerator[Zygote, None]:
    """Run the zygote for as long as the block lasts; no bridge outlives it."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.zygote"),
            cwd=CHECKOUT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            preexec_fn=tied_to_parent(signal.SIGKILL),
        )
    zygote = Zygote(process, on_end)
    listening = asyncio.create_task(zygote.listen(), name="listen to the zygote")
    try:
        yield zygote
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening


@dataclass(slots=True, kw_only=True)
class Replica:
    """One of the bridges; at most one life at a time."""

    name: str
    zygote: Zygote
    config_path: Path
    log: Path
    url: str
    appservice_url: str
    off: tuple[str, ...] = ()
    life: Life | None = None
    starts: int = 0

    @property
    def port(self) -> int:
        """Where its main listener is."""
        return int(self.url.rpartition(":")[2])

    async def start(self, planted: tuple[Planted, ...] = ()) -> Life:
        """Fork the bridge; raises when its last life has not ended."""
        assert self.life is None or self.life.ended.is_set(), "it lives"
        order = Order(config=str(self.config_path), log=str(self.log), planted=planted, off=self.off)
        self.life = await self.zygote.fork(order)
        self.starts += 1
        return self.life

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End what lives, whatever state it is in."""
        if self.life is not None:
            self.life.send_signal(signal.SIGCONT)
            await self.life.end(number)
