"""Pools and connections: JSON codecs, and PostgreSQL's absence as one of our errors."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import msgspec
import structlog

from bridge.errors import ConfigError, DependencyDown

_log = structlog.stdlib.get_logger("bridge.database")

_AGAIN_SECONDS = 2.0
_ALIVE_SECONDS = 30.0

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,  # SQLSTATE class 08
    asyncpg.ReadOnlySQLTransactionError,  # a standby, until the failover is over
    asyncpg.TransactionRollbackError,  # class 40: deadlock, serialization
    asyncpg.InsufficientResourcesError,  # class 53: disk full, too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutdown, crash, a statement cancelled
    asyncpg.PostgresSystemError,  # class 58: input and output
)
"""What is over after a while: the same transaction, tried again, may succeed."""


async def open_pool(url: str, *, size: int, application_name: str) -> Pool:
    """Open a pool of at most ``size`` connections; raises DependencyDown when PostgreSQL is away, ConfigError else."""
    with_codecs: Any = set_codecs
    try:
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=with_codecs,
            reset=_leave_as_it_is,
            command_timeout=30,
            server_settings={"application_name": application_name},
        )
    except asyncpg.ClientConfigurationError as error:
        raise ConfigError(f"no address of PostgreSQL, see the settings under 'database': {error}") from error
    except UNREACHABLE as error:
        raise DependencyDown(f"PostgreSQL does not answer: {error}") from error
    except asyncpg.PostgresError as error:
        raise ConfigError(f"PostgreSQL refuses us, see the settings under 'database': {error}") from error


@asynccontextmanager
async def connection_of(pool: Pool) -> AsyncGenerator[Connection, None]:
    """Lend a connection; PostgreSQL's absence is DependencyDown."""
    try:
        async with pool.acquire(timeout=10) as connection:
            yield connection
    except UNREACHABLE as error:
        if isinstance(error, ValueError):  # asyncpg's own refusal of a value stands among its interface errors
            raise
        raise DependencyDown("the database does not answer; try again shortly") from error


async def keep_session(
    url: str, *, application_name: str, begin: Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[object]]
) -> None:
    """Keep a connection of its own until cancelled; one that is lost is made anew, and ``begin`` is done on each."""
    while True:
        try:
            await _session(url, application_name, begin)
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            _log.warning("a kept connection is lost", name=application_name, error=type(error).__name__)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _session(
    url: str, application_name: str, begin: Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[object]]
) -> None:
    connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": application_name})
    is_lost = asyncio.Event()
    connection.add_termination_listener(lambda _connection: is_lost.set())
    try:
        await begin(connection)
        while not is_lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ALIVE_SECONDS):
                    await is_lost.wait()
            await connection.execute("SELECT 1", timeout=10)
    finally:
        connection.terminate()


def rows_of(status: str) -> int:
    """Return the number of rows in a command's status, such as ``DELETE 3``."""
    return int(status.rpartition(" ")[2])


async def _leave_as_it_is(_connection: object) -> None:
    """Give a connection back without asking PostgreSQL to reset it, which costs a round trip each time.

    All that we set on a connection lasts as long as its transaction, and asyncpg itself ends one that is left open.
    """


async def set_codecs(connection: Connection) -> None:
    """Have JSON read and written in the form that the stores expect."""
    # jsonb's binary form is a version byte and the text
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
        schema="pg_catalog",
        format="binary",
    )
