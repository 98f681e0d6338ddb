"""Migrations: forward only, each in its own transaction, one process at a time."""

import re
from importlib.resources import files
from typing import NamedTuple

import asyncpg

from bridge.errors import ConfigError

GLOBAL_TABLES = frozenset(
    {
        "blocks",
        "erasures",
        "inbox",
        "lanes",
        "person_tasks",
        "quarantine",
        "schema_migrations",
        "sessions",
        "standings",
        "stream_positions",
        "used_tokens",
        "users",
    }
)
"""Tables without a tenant; every other table has ``tenant_id NOT NULL`` under forced row-level security."""

_LOCK = 0x62697473  # any constant: who migrates holds this advisory lock
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class Migration(NamedTuple):
    """One numbered step of the schema."""

    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """Return every migration that this version has, in order."""
    found = [path for path in files("bridge.db").joinpath("migrations").iterdir() if _NAME.fullmatch(path.name)]
    return sorted(Migration(int(path.name[:4]), path.name, path.read_text(encoding="utf-8")) for path in found)


async def migrate(url: str) -> list[str]:
    """Bring the schema up to this version as the owner, and return the names of the migrations that ran."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());"
            "GRANT SELECT ON schema_migrations TO bitnexus_app"
        )
        applied = {row["number"] for row in await connection.fetch("SELECT number FROM schema_migrations")}
        return [await _apply(connection, step) for step in migrations() if step.number not in applied]
    finally:
        await connection.close()


async def check_version(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Refuse to start on a schema that is older or newer than this version."""
    try:
        applied = {row["number"] for row in await pool.fetch("SELECT number FROM schema_migrations")}
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        applied = set[int]()
    known = {step.number for step in migrations()}
    if known - applied:
        raise ConfigError("the database is older than this version: run 'bitnexus-chat migrate' first")
    if applied - known:
        raise ConfigError("the database is newer than this version: install the version that migrated it")


async def _apply(connection: asyncpg.Connection, step: Migration) -> str:
    async with connection.transaction():
        await connection.execute(step.sql)
        await connection.execute("INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", step.number, step.name)
    return step.name
