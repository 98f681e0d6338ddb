"""The adapters that both the bridge and its doctor are built from, as the configuration says."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import aiohttp

from bridge.config import Config
from bridge.db.connection import Pool, open_pool
from bridge.matrix.expiry import SynapseExpiry
from bridge.matrix.homeserver import SynapseHomeserver, obey_rate_limit
from bridge.matrix.stream import SynapseStream
from bridge.model.ids import UserID
from bridge.model.room import Bots, MatrixHouse

CLOSE_SECONDS = 2.0


def house_of(config: Config) -> MatrixHouse:
    """Return the facts about the homeserver that rooms are laid out with."""
    names, server = config.appservice, config.homeserver.server_name
    return MatrixHouse(
        server_name=server,
        room_version=config.homeserver.room_version,
        bots=Bots(
            creator=UserID(f"@{names.sender_localpart}:{server}"),
            keeper=UserID(f"@{names.keeper_localpart}:{server}"),
            relay=UserID(f"@{names.relay_localpart}:{server}"),
            assistant=UserID(f"@{names.assistant_localpart}:{server}"),
        ),
    )


async def open_pools(config: Config, stack: AsyncExitStack, *, size: int, application_name: str) -> tuple[Pool, Pool]:
    """Open the application's pool and the narrow one across tenants; raises ConfigError or DependencyDown."""
    database = config.database
    app = await open_pool(database.url, size=size, application_name=application_name)
    stack.push_async_callback(_close, app)
    system = await open_pool(database.system_url, size=max(2, size // 3), application_name=f"{application_name}-system")
    stack.push_async_callback(_close, system)
    return app, system


async def _close(pool: Pool) -> None:
    """Close a pool; a PostgreSQL that does not answer must not hold up our end."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def http_to_synapse(stack: AsyncExitStack, *, timeout_seconds: float) -> aiohttp.ClientSession:
    """Open the connections to Synapse; the worker's concurrency is their only limit."""
    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        connector=aiohttp.TCPConnector(limit=0),
        middlewares=(obey_rate_limit,),
    )
    return await stack.enter_async_context(session)


def homeserver_of(
    config: Config, house: MatrixHouse, http: aiohttp.ClientSession, *, on_trouble: Callable[[], None]
) -> SynapseHomeserver:
    """Return Synapse, as what we do there is done."""
    return SynapseHomeserver(
        http,
        config.homeserver.address,
        config.appservice.as_token,
        house,
        appservice_id=config.appservice.id,
        on_trouble=on_trouble,
    )


def expiry_of(config: Config, http: aiohttp.ClientSession) -> SynapseExpiry:
    """Return our module in Synapse, as it is told who may use nothing."""
    return SynapseExpiry(http, config.homeserver.address, config.appservice.module_secret)


def stream_of(config: Config, http: aiohttp.ClientSession) -> SynapseStream:
    """Return the streams that our module in Synapse hands out."""
    return SynapseStream(http, config.homeserver.address, config.appservice.module_secret)
