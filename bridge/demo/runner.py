"""Run the demo in this process: prepare, start, seed, tell how to reach it, and stop when told."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bridge.demo.bridge_api import BridgeApi, HttpApi
from bridge.demo.errors import DemoError, demo_errors_joined
from bridge.demo.host_process import HostProcess
from bridge.demo.lock import try_lock
from bridge.demo.ports import Ports
from bridge.demo.prepare import PARTS, prepare
from bridge.demo.progress import Steps
from bridge.demo.roster import Roster, command_line
from bridge.demo.seed import Seed
from bridge.demo.seed_state import SeedFile
from bridge.demo.settings import address
from bridge.demo.stack import Part, Stack, log_path, running_stack
from bridge.demo.stack_file import StackFile, describe, show, write_stack_file
from bridge.demo.supervision import Supervision
from bridge.demo.synapse_admin import SynapseAdmin

RUNNER = "demo"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


def runner_roster(directory: Path) -> Roster:
    """Return where the process that runs the demo is written down."""
    return Roster(directory / "runner.json")


@dataclass(slots=True, kw_only=True)
class DemoRun:
    """One run of the demo in ``directory``."""

    directory: Path
    ports: Ports
    steps: Steps
    _begun: float = field(default_factory=time.monotonic)
    _is_ready: bool = False

    @property
    def stack_path(self) -> Path:
        """Where stack.json stands while the demo is ready."""
        return self.directory / "stack.json"

    async def until_stopped(self) -> int:
        """Run until SIGINT, SIGTERM or SIGHUP; return the exit status, 0 when it had been ready.

        Raises DemoError when something cannot be prepared or started, or ends for good. Nothing is left running.
        """
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.set)
        work, stopped = asyncio.create_task(self._work()), asyncio.create_task(stop.wait())
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not work.done():
            self._say("Stopping.")
            work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            self._say("Stopped; a second start takes up the same data.")
        return 0 if self._is_ready else INTERRUPTED

    async def _work(self) -> None:
        with demo_errors_joined():
            async with AsyncExitStack() as stops:
                await stops.enter_async_context(self._alone())
                self.stack_path.unlink(missing_ok=True)
                stops.callback(self.stack_path.unlink, missing_ok=True)
                with self.steps.shown():
                    await prepare(PARTS, self.steps)
                    stack = await stops.enter_async_context(
                        running_stack(self.directory, ports=self.ports, steps=self.steps)
                    )
                    host = self._host(stack)
                    stops.push_async_callback(host.stop)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._start_host(host))
                        seeding = group.create_task(self._seed(stack, host))
                await self._serve(stack, host, seeding.result())

    async def _serve(self, stack: Stack, host: HostProcess, state: SeedFile) -> None:
        parts: dict[str, Part] = {
            "postgres": stack.postgres,
            "synapse": stack.synapse,
            "model": stack.model,
            "bridge": stack.bridge,
            "host": host,
        }

        def describe_now() -> StackFile:
            return describe(stack, state.state, chat_url=host.url, pids=_pids(parts))

        docs, metrics = f"{stack.bridge.url}/docs", f"{address(self.ports.metrics)}/metrics"
        show(describe_now(), self.steps.console, api_docs=docs, metrics=metrics)
        self._say(f"Ready in {time.monotonic() - self._begun:.1f} s. Ctrl-C or 'make demo-stop' stops everything.")
        write_stack_file(self.stack_path, describe_now())
        self._is_ready = True
        await Supervision(
            parts=parts, say=self._say, restarted=lambda: write_stack_file(self.stack_path, describe_now())
        ).run()

    async def _start_host(self, host: HostProcess) -> None:
        with self.steps.step("Host page"):
            await host.start()

    async def _seed(self, stack: Stack, host: HostProcess) -> SeedFile:
        file = SeedFile(self.directory / "seed.json")
        with self.steps.step("Tenants and people") as step:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
                synapse = HttpApi(http=http, url=stack.synapse.url)
                bridge = BridgeApi(api=HttpApi(http=http, url=stack.bridge.url), credentials=stack.credentials)
                admin = SynapseAdmin(api=synapse, credentials=stack.credentials, file=file)
                await Seed(bridge=bridge, synapse=synapse, admin=admin, file=file, origin=host.url, step=step).run()
        return file

    def _host(self, stack: Stack) -> HostProcess:
        return HostProcess(
            directory=self.directory,
            log=log_path(self.directory, "host"),
            port=self.ports.host_page,
            stack_path=self.stack_path,
            roster=stack.roster,
        )

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None, None]:
        """Hold the folder: one demo at a time, whose process ``make demo-stop`` finds."""
        self.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            if not try_lock(lock):
                raise DemoError(f"a demo runs already in {self.directory}: 'make demo-stop' stops it")
            roster = runner_roster(self.directory)
            roster.add(RUNNER, os.getpid(), command_line(os.getpid()), signal.SIGTERM)
            try:
                yield
            finally:
                roster.remove(RUNNER)

    def _say(self, text: str) -> None:
        self.steps.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _pids(parts: Mapping[str, Part]) -> dict[str, int]:
    return {RUNNER: os.getpid(), **{name: part.process.pid for name, part in parts.items()}}
