"""The local language model: a small one behind the OpenAI chat API, in a process of its own."""

from dataclasses import dataclass
from pathlib import Path

from bridge.demo import checkout
from bridge.demo.credentials import Credentials
from bridge.demo.errors import DemoError
from bridge.demo.ports import Ports
from bridge.demo.probe import answers_ok
from bridge.demo.process import Process
from bridge.demo.roster import Roster
from bridge.demo.settings import MODEL_NAME, address

READY_SECONDS = 120.0


@dataclass(slots=True, kw_only=True)
class LocalModel:
    """One process of ``model_server.py``, of the environment ``.envs/demo``."""

    directory: Path
    log: Path
    ports: Ports
    credentials: Credentials
    roster: Roster
    _process: Process | None = None

    @property
    def process(self) -> Process:
        """The running server; raises DemoError before ``start``."""
        if self._process is None:
            raise DemoError("the model has not been started")
        return self._process

    @property
    def base_url(self) -> str:
        """The address that an OpenAI client is given."""
        return f"{address(self.ports.model)}/v1"

    async def start(self) -> None:
        """Start the server; returns when the model is loaded."""
        words = ("--model", str(_model_file()), "--name", MODEL_NAME, "--port", str(self.ports.model))
        self._process = Process(
            name="Model",
            argv=(str(checkout.DEMO_PYTHON), "-I", str(checkout.MODEL_SERVER), *words),
            log=self.log,
            cwd=self.directory,
            roster=self.roster,
            environment={"MODEL_API_KEY": self.credentials.model_key},
        )
        await self._process.start()
        await self._process.ready(answers_ok(f"{address(self.ports.model)}/health"), seconds=READY_SECONDS)

    async def stop(self) -> None:
        """Stop the server; an answer in progress ends in the middle."""
        if self._process is not None:
            await self._process.stop()


def _model_file() -> Path:
    files = sorted(checkout.MODEL.rglob("*.gguf"))
    if not files:
        raise DemoError(f"there is no model in {checkout.MODEL}: run 'make setup'")
    return files[0]
