"""What the doctor looks with: connections of its own, with little patience."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp

from bridge.config import Config
from bridge.db.connection import Pool
from bridge.db.health import HealthStore
from bridge.errors import DependencyDown
from bridge.matrix.probe import SynapseProbe
from bridge.matrix.stream import SynapseStream
from bridge.model.health import BridgeFacts
from bridge.model.room import MatrixHouse
from bridge.parts import house_of, open_pools, stream_of

CONNECT_SECONDS = 2.5
ANSWER_SECONDS = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAccess:
    """PostgreSQL, by both roles."""

    app: Pool
    system: Pool

    @property
    def store(self) -> HealthStore:
        """What may be counted across tenants."""
        return HealthStore(self.system)


@dataclass(slots=True, kw_only=True)
class Instruments:
    """Opened as the checks need them; a check that needs what another one opens runs after it."""

    config: Config
    house: MatrixHouse
    stack: AsyncExitStack
    http: aiohttp.ClientSession
    synapse: SynapseProbe
    stream: SynapseStream
    bridge: BridgeFacts | None = None
    _database: DatabaseAccess | None = None

    @property
    def database(self) -> DatabaseAccess:
        """PostgreSQL, once it was opened."""
        if self._database is None:
            raise DependencyDown("PostgreSQL does not answer")
        return self._database

    @property
    def is_running(self) -> bool:
        """Whether the bridge of this configuration was seen to run."""
        return self.bridge is not None and self.bridge.readiness is not None

    async def open_database(self) -> DatabaseAccess:
        """Open both pools; raises ConfigError or DependencyDown."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                app, system = await open_pools(self.config, self.stack, size=3, application_name="bitnexus-doctor")
        except TimeoutError:
            raise DependencyDown(f"PostgreSQL does not answer within {CONNECT_SECONDS} seconds") from None
        self._database = DatabaseAccess(app=app, system=system)
        return self._database

    def give_up(self) -> None:
        """Cut the connections to a PostgreSQL that hangs: it would hold up their closing, too."""
        if self._database is not None:
            self._database.app.terminate()
            self._database.system.terminate()


async def open_instruments(config: Config, stack: AsyncExitStack) -> Instruments:
    """Return the instruments; nothing is asked yet."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
    http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
    return Instruments(
        config=config,
        house=house_of(config),
        stack=stack,
        http=http,
        synapse=SynapseProbe(
            http,
            config.homeserver.address,
            as_token=config.appservice.as_token,
            module_secret=config.appservice.module_secret,
            appservice_id=config.appservice.id,
        ),
        stream=stream_of(config, http),
    )
