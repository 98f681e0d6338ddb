"""The page of the host application, which embeds the client as BitNexus does."""

import sys
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.errors import DemoError
from bridge.demo.probe import answers_ok
from bridge.demo.process import Process
from bridge.demo.roster import Roster
from bridge.demo.settings import address

READY_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class HostProcess:
    """One process of ``bridge.demo.host``; it reads ``stack_path`` at each request, so that may come later."""

    directory: Path
    log: Path
    port: int
    stack_path: Path
    roster: Roster
    _process: Process | None = None

    @property
    def process(self) -> Process:
        """The running page; raises DemoError before ``start``."""
        if self._process is None:
            raise DemoError("the host page has not been started")
        return self._process

    @property
    def url(self) -> str:
        """Where people open it; also its origin."""
        return address(self.port)

    async def start(self) -> None:
        """Start the page; returns when it answers."""
        words = ("--stack", str(self.stack_path), "--port", str(self.port))
        self._process = Process(
            name="Host page",
            argv=(sys.executable, "-m", "bridge.demo.host", *words),
            log=self.log,
            cwd=self.directory,
            roster=self.roster,
        )
        await self._process.start()
        await self._process.ready(answers_ok(f"{self.url}/static/icon.svg"), seconds=READY_SECONDS)

    async def stop(self) -> None:
        """Stop the page."""
        if self._process is not None:
            await self._process.stop()
