"""A PostgreSQL without a bridge, for tests of what the stores do to it."""

import socket
from collections.abc import AsyncIterator

import pytest

from bridge.demo.credentials import Credentials
from bridge.demo.postgres import Postgres
from bridge.demo.postgres_place import remove_place
from bridge.demo.prepare import prepare
from bridge.demo.progress import Steps
from bridge.demo.roster import Roster
from tests.support.own_database import OwnDatabase, fresh_database, make_templates


@pytest.fixture(scope="session")
async def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    await prepare(["demo"], Steps())
    folder = tmp_path_factory.mktemp("own-postgres")
    server = Postgres(
        directory=folder,
        log=folder / "postgres.log",
        port=_free_port(),
        passwords=Credentials().postgres_passwords(),
        roster=Roster(folder / "processes.json"),
    )
    await server.start()
    try:
        await make_templates(server)
        yield server
    finally:
        await server.stop()
        remove_place(folder)


@pytest.fixture
async def own(own_postgres: Postgres) -> AsyncIterator[OwnDatabase]:
    """A database of this test's own."""
    async with fresh_database(own_postgres, template="whole") as database:
        yield database


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
