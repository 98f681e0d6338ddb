"""One process of the demo: in a session of its own, its output in a log, gone when we are gone."""

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.demo.accounts import Account
from bridge.demo.errors import DemoError
from bridge.demo.roster import Roster

STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05
_TAIL_BYTES, _TAIL_LINES, _TAIL_WIDTH = 20_000, 12, 300
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True, kw_only=True)
class Process:
    """A program that runs beside us until it is stopped.

    It is stopped by its pid with ``stop_signal``, and gets the same signal from the kernel when we die in any way.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    cwd: Path
    roster: Roster
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_signal: signal.Signals = signal.SIGTERM
    account: Account | None = None
    _child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process's id; raises DemoError before it was started."""
        if self._child is None:
            raise DemoError(f"{self.name} has not been started")
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Start the program and write its pid down."""
        account = self.account
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self.argv,
                cwd=self.cwd,
                env=_environment(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=tied_to_parent(self.stop_signal),
            )
        self.roster.add(self.name, self._child.pid, self.argv, self.stop_signal)

    async def wait(self) -> int:
        """Wait for the end of the process and return its status; minus a number is the signal that ended it."""
        if self._child is None:
            raise DemoError(f"{self.name} has not been started")
        return await self._child.wait()

    async def ready(self, probe: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
        """Wait until ``probe`` says yes; raise DemoError with the log's tail if the process ends or time runs out."""
        deadline = time.monotonic() + seconds
        while not await probe():
            if not self.is_running:
                status = await self.wait()
                raise DemoError(f"{self.name} ended with status {status} instead of getting ready.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise DemoError(f"{self.name} was not ready after {seconds:.0f} seconds.\n{self.tail()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, *, grace_seconds: float = STOP_SECONDS) -> None:
        """Ask the process to end, kill it when it does not within ``grace_seconds``; returns when it is gone."""
        if self._child is None:
            return
        if self.is_running:
            self._child.send_signal(self.stop_signal)
            try:
                async with asyncio.timeout(grace_seconds):
                    await self._child.wait()
            except TimeoutError:
                await self.kill()
        self.roster.remove(self.name)

    async def kill(self) -> None:
        """Kill the process at once, with all that it started, as a crash would."""
        if self._child is None or self._child.returncode is not None:
            return
        os.killpg(self._child.pid, signal.SIGKILL)
        await self._child.wait()

    def tail(self) -> str:
        """Return the end of the process's log, and where the whole of it is."""
        if not self.log.exists():
            return f"It wrote no log at {self.log}."
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = log.read().decode("utf-8", "replace").strip()
        lines = [line[:_TAIL_WIDTH] for line in text.splitlines()[-_TAIL_LINES:]]
        return "\n".join([*(lines or ["Its log is empty."]), f"The whole log: {self.log}"])


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without what would lay itself over the bridge's configuration or over its Python."""
    misleading = ("BITNEXUS_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PG")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(misleading)}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


def tied_to_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Return what the child runs before its program: the kernel shall send it ``death_signal`` when we die.

    Runs after the change of user, which would undo it.
    """
    parent = os.getpid()

    def tie() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # we died between fork and here
            os._exit(1)

    return tie
