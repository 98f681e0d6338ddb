"""A minimal application service on mautrix as it comes: run as ``python -m bench.stock_mautrix <settings.json>``.

Its handler takes the time that handing a message on takes, and then writes a row for it. It has no memory of what it
has handled, because mautrix offers none that lasts. At its start it pings Synapse, as mautrix's own bridges do, so that
a backlog comes at once.
"""

import asyncio
import sys
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
from mautrix.appservice import AppService
from mautrix.errors import MatrixError
from mautrix.types import Event, EventType

TABLE = "CREATE TABLE handled (name text NOT NULL, event_id text NOT NULL, body text NOT NULL, seq bigserial)"
"""Where the rows go; no constraint hides that an event was handled twice."""
_AGAIN_SECONDS = 0.5


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the service is run with."""

    name: str
    homeserver: str
    server_name: str
    port: int
    as_token: str
    hs_token: str
    synchronous: bool
    """mautrix's ``synchronous_handlers``: answer a transaction when its handlers have run, and not before."""
    work_seconds: float
    """How long it takes to hand a message on, to wherever a bridge leads."""
    database: str


async def run(settings: Settings) -> None:
    """Serve until killed."""
    pool = await asyncpg.create_pool(settings.database, min_size=1, max_size=4)
    service = AppService(
        server=settings.homeserver,
        domain=settings.server_name,
        as_token=settings.as_token,
        hs_token=settings.hs_token,
        bot_localpart=settings.name,
        id=settings.name,
    )
    service.synchronous_handlers = settings.synchronous

    @service.matrix_event_handler
    async def handle(event: Event) -> None:
        if event.type == EventType.ROOM_MESSAGE:
            await asyncio.sleep(settings.work_seconds)
            words = "INSERT INTO handled (name, event_id, body) VALUES ($1, $2, $3)"
            await pool.execute(words, settings.name, event.event_id, event.content.body)

    await service.start("127.0.0.1", settings.port)
    service.ready = True
    await _ping(service)
    await asyncio.Event().wait()


async def _ping(service: AppService) -> None:
    while True:
        try:
            await service.ping_self()
        except (MatrixError, aiohttp.ClientError, OSError):
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


if __name__ == "__main__":
    asyncio.run(run(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Settings)))
