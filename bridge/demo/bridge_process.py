"""The bridge of a stack, run as an operator runs it: ``bitnexus-chat run --config``."""

from dataclasses import dataclass
from pathlib import Path

from bridge.demo import checkout
from bridge.demo.errors import DemoError
from bridge.demo.ports import Ports
from bridge.demo.probe import answers_ok
from bridge.demo.process import Process
from bridge.demo.roster import Roster
from bridge.demo.settings import address

READY_SECONDS = 90.0


@dataclass(slots=True, kw_only=True)
class BridgeProcess:
    """One process of the bridge."""

    directory: Path
    log: Path
    ports: Ports
    config_path: Path
    roster: Roster
    _process: Process | None = None

    @property
    def process(self) -> Process:
        """The running bridge; raises DemoError before ``start``."""
        if self._process is None:
            raise DemoError("the bridge has not been started")
        return self._process

    @property
    def url(self) -> str:
        """Where its main listener is."""
        return address(self.ports.bridge)

    async def start(self) -> None:
        """Start the bridge, which migrates its database first; returns when it says that it is ready."""
        self._process = Process(
            name="Bridge",
            argv=(str(checkout.BRIDGE_PYTHON), "-m", "bridge", "run", "--config", str(self.config_path)),
            log=self.log,
            cwd=self.directory,
            roster=self.roster,
        )
        await self._process.start()
        await self._process.ready(answers_ok(f"{self.url}/ready"), seconds=READY_SECONDS)

    async def stop(self) -> None:
        """Stop the bridge; it finishes the work in hand first."""
        if self._process is not None:
            await self._process.stop()
