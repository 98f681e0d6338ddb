"""One whole stack: PostgreSQL, Synapse, the model and the bridge, started side by side and stopped in order."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.config import Config
from bridge.demo.bridge_process import BridgeProcess
from bridge.demo.credentials import Credentials, keep_credentials
from bridge.demo.errors import demo_errors_joined
from bridge.demo.model import LocalModel
from bridge.demo.ports import Ports
from bridge.demo.postgres import SUPERUSER, Postgres
from bridge.demo.postgres_place import remove_place
from bridge.demo.process import Process
from bridge.demo.progress import Steps
from bridge.demo.room import require_ports, require_room
from bridge.demo.roster import Roster
from bridge.demo.settings import Overrides, write_config
from bridge.demo.synapse import Synapse

NEEDED_BYTES = 500_000_000


class Part(Protocol):
    """What every part of a stack can do."""

    @property
    def process(self) -> Process:
        """The part's process, once started."""
        ...

    async def start(self) -> None:
        """Start, and return when ready."""
        ...

    async def stop(self) -> None:
        """Stop; does nothing when it was not started."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The parts and how to reach them. Parts that were not asked for are built and not started."""

    directory: Path
    ports: Ports
    credentials: Credentials
    config: Config
    config_path: Path
    registration_path: Path
    roster: Roster
    postgres: Postgres
    synapse: Synapse
    model: LocalModel
    bridge: BridgeProcess

    @property
    def postgres_dsn(self) -> str:
        """The bridge's database, as a superuser: row-level security hides nothing from it."""
        return self.postgres.dsn(SUPERUSER)

    def log(self, name: str) -> Path:
        """Return where a part's output goes."""
        return log_path(self.directory, name)


def log_path(directory: Path, name: str) -> Path:
    """Return where the output of the part ``name`` goes."""
    return directory / "logs" / f"{name}.log"


def build_stack(directory: Path, ports: Ports, *, with_model: bool = True, overrides: Overrides | None = None) -> Stack:
    """Return the stack of ``directory``, nothing of it started; credentials and settings are written there."""
    directory.mkdir(mode=0o711, parents=True, exist_ok=True)  # PostgreSQL may have to pass as another user
    (directory / "logs").mkdir(mode=0o700, exist_ok=True)
    roster = Roster(directory / "processes.json")
    credentials = keep_credentials(directory / "credentials.json")
    config_path, registration_path = directory / "config.yaml", directory / "registration.yaml"
    config = write_config(config_path, ports=ports, credentials=credentials, with_model=with_model, overrides=overrides)
    return Stack(
        directory=directory,
        ports=ports,
        credentials=credentials,
        config=config,
        config_path=config_path,
        registration_path=registration_path,
        roster=roster,
        postgres=Postgres(
            directory=directory,
            log=log_path(directory, "postgres"),
            port=ports.postgres,
            passwords=credentials.postgres_passwords(),
            roster=roster,
        ),
        synapse=Synapse(
            directory=directory,
            log=log_path(directory, "synapse"),
            ports=ports,
            credentials=credentials,
            config=config,
            registration_path=registration_path,
            roster=roster,
        ),
        model=LocalModel(
            directory=directory,
            log=log_path(directory, "model"),
            ports=ports,
            credentials=credentials,
            roster=roster,
        ),
        bridge=BridgeProcess(
            directory=directory,
            log=log_path(directory, "bridge"),
            ports=ports,
            config_path=config_path,
            roster=roster,
        ),
    )


@asynccontextmanager
async def running_stack(
    directory: Path,
    *,
    ports: Ports,
    with_model: bool = True,
    with_bridge: bool = True,
    overrides: Overrides | None = None,
    keep: bool = True,
    steps: Steps | None = None,
) -> AsyncGenerator[Stack, None]:
    """Run a stack for as long as the block lasts; every part that was asked for is ready when it begins.

    ``overrides`` are laid over the bridge's settings, section by section. With ``keep`` False nothing stays outside
    ``directory`` afterwards (as root, PostgreSQL's data may have to stand there). Raises DemoError when the disk has no
    room, a port is taken or a part does not get ready; what had been started is stopped then.
    """
    stack = build_stack(directory, ports, with_model=with_model, overrides=overrides)
    await stack.roster.end_leftovers()
    require_room(directory, NEEDED_BYTES)
    require_ports(ports.by_name())
    async with AsyncExitStack() as stops:
        if not keep:
            stops.callback(remove_place, directory)
        await start_parts(stack, stops, steps or Steps(), with_model=with_model, with_bridge=with_bridge)
        yield stack


async def start_parts(
    stack: Stack, stops: AsyncExitStack, steps: Steps, *, with_model: bool, with_bridge: bool
) -> None:
    """Start PostgreSQL, then the others side by side; leave with ``stops`` how to stop them, the bridge first."""
    stops.push_async_callback(stack.postgres.stop)
    await _start("PostgreSQL", stack.postgres, steps)
    beside: dict[str, Part] = {"Synapse with our module": stack.synapse}
    if with_model:
        beside["Local language model"] = stack.model
    if with_bridge:
        beside["Bridge"] = stack.bridge
    for part in beside.values():  # before they start: stopping must know them when starting is cut short
        stops.push_async_callback(part.stop)
    with demo_errors_joined():
        async with asyncio.TaskGroup() as group:
            for title, part in beside.items():
                group.create_task(_start(title, part, steps))


async def _start(title: str, part: Part, steps: Steps) -> None:
    with steps.step(title):
        await part.start()
