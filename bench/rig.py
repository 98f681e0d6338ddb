"""A tenant of its own on a real stack, and the two ways of a message into its rooms: ours, and Synapse's own."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg

from bridge.demo.bridge_api import BridgeApi, HttpApi
from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from bridge.matrix.homeserver import BOT_DEVICE

TENANT = "bench"
MEMBER = "reader"
_CLIENT = "/_matrix/client/v3"
_IDLE_POLL_SECONDS = 0.02
_REST_POLL_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Rig:
    """The stack with the tenant in it; ``rooms`` are its rooms' ids by key."""

    stack: Stack
    http: aiohttp.ClientSession
    database: "asyncpg.Connection[asyncpg.Record]"
    key: str
    rooms: Mapping[str, str]
    reader: str
    content: Mapping[str, Any]
    """What our relay makes of ``event_body``, by a preview."""
    _txn_ids: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def relay(self) -> str:
        """The bot that both ways send as."""
        return f"@{self.stack.config.appservice.relay_localpart}:{self.stack.config.homeserver.server_name}"

    @property
    def as_headers(self) -> dict[str, str]:
        """The application service's credential."""
        return {"Authorization": f"Bearer {self.stack.credentials.as_token}"}

    async def send_ours(self, room_key: str, mark: str) -> None:
        """Hand an event to ``POST /v1/events``, and return when it is acknowledged."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.http.post(
            f"{self.stack.bridge.url}/v1/events", json=event_body(room_key, mark), headers=headers
        ) as response:
            text = await response.text()
            assert response.status == 202, text  # noqa: PLR2004 - accepted

    async def send_raw(self, room_key: str, mark: str) -> None:
        """Put the same content into the room by Synapse's own API, as the same bot, and return when it is answered."""
        path = f"{_CLIENT}/rooms/{quote(self.rooms[room_key])}/send/m.room.message/bench-{next(self._txn_ids)}"
        query = {"user_id": self.relay, "device_id": BOT_DEVICE}
        body = json.dumps(self.content).replace(_PLACE, mark)
        headers = self.as_headers | {"Content-Type": "application/json"}
        async with self.http.put(self.stack.synapse.url + path, params=query, data=body, headers=headers) as response:
            text = await response.text()
            assert response.status == 200, text  # noqa: PLR2004 - done

    async def log_in(self, user_id: str) -> dict[str, Any]:
        """Log a member in on a device of their own; the access token does not expire."""
        identifier = {"type": "m.id.user", "user": user_id}
        body = {"type": "m.login.application_service", "identifier": identifier}
        url = f"{self.stack.synapse.url}{_CLIENT}/login"
        async with self.http.post(url, json=body, headers=self.as_headers) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer

    async def idle(self) -> None:
        """Wait until the bridge has nothing left to do, so that no work of one measurement falls into the next."""
        question = "SELECT NOT EXISTS (SELECT FROM lanes WHERE pending > 0 OR lease_until > now())"
        while not await self.database.fetchval(question):  # noqa: ASYNC110 - of another process: nothing tells us
            await asyncio.sleep(_IDLE_POLL_SECONDS)

    async def synapse_at_rest(self) -> None:
        """Wait until Synapse has made the indexes that it makes in the background after its first start."""
        connection = await asyncpg.connect(self.stack.postgres.dsn("synapse", "synapse"))
        try:
            while await connection.fetchval("SELECT EXISTS (SELECT FROM background_updates)"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(_REST_POLL_SECONDS)
        finally:
            await connection.close()


_PLACE = "mark-of-a-message"


def event_body(room_key: str, mark: str) -> dict[str, Any]:
    """Return an event as n8n posts one when somebody has finished a course."""
    return {
        "type": "academy.course.completed",
        "id": mark,
        "to": [{"room": room_key}],
        "severity": "ok",
        "title": f"Course completed {mark}",
        "body": "**Anna Berger** has finished *Selling in a new market*, with distinction.",
        "data": {"course": "Selling in a new market", "score": 93, "attempt": 1},
    }


@asynccontextmanager
async def running_rig(folder: Path, *, rooms: int) -> AsyncIterator[Rig]:
    """Run a stack with a tenant of ``rooms`` rooms and one member, for as long as the block lasts."""
    ports = Ports.free()
    async with (
        running_stack(folder, ports=ports, with_model=False, keep=False) as stack,
        furnished(stack, rooms=rooms) as rig,
    ):
        yield rig


@asynccontextmanager
async def furnished(stack: Stack, *, rooms: int) -> AsyncIterator[Rig]:
    """Put the tenant into a running stack."""
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        database = await asyncpg.connect(stack.postgres_dsn)
        try:
            yield await _furnish(stack, http, database, rooms)
        finally:
            await database.close()


async def _furnish(
    stack: Stack, http: aiohttp.ClientSession, database: "asyncpg.Connection[asyncpg.Record]", rooms: int
) -> Rig:
    bridge = BridgeApi(api=HttpApi(http=http, url=stack.bridge.url), credentials=stack.credentials)
    keys = [f"room{number}" for number in range(rooms)]
    wanted = [{"key": key, "type": "general", "name": f"Room {key}"} for key in keys]
    body: Any = {"name": "Benchmark", "rooms": wanted}
    jobs = [await bridge.change("PUT", f"/tenants/{TENANT}", body)]
    person: Any = {"role": "member", "display_name": "Reader"}
    jobs.append(await bridge.change("PUT", f"/tenants/{TENANT}/members/{MEMBER}", person))
    for job_id in dict.fromkeys(job_id for job_id in jobs if job_id is not None):
        await bridge.finish(job_id)
    key_body: Any = {"name": "bench", "scopes": ["events:write"]}
    key = (await bridge.platform("POST", f"/tenants/{TENANT}/integration-keys", key_body))["key"]
    room_ids = await database.fetch("SELECT key, id FROM chat_rooms WHERE tenant_id = $1", TENANT)
    reader: str = await database.fetchval("SELECT matrix_id FROM users WHERE member_id = $1", MEMBER)
    preview: Any = event_body("room0", _PLACE)
    rendered = await HttpApi(http=http, url=stack.bridge.url).call(
        "POST", "/v1/events?dry_run=true", token=key, body=preview
    )
    rig = Rig(
        stack=stack,
        http=http,
        database=database,
        key=key,
        rooms={row["key"]: row["id"] for row in room_ids if row["key"] in keys},
        reader=reader,
        content=_as_raw(rendered["rendered"][0]["content"]),
    )
    await rig.idle()
    return rig


def _as_raw(content: dict[str, Any]) -> dict[str, Any]:
    """Return the rendered content with our mark of a delivery under another name, as long as ours.

    By our own name the bridge would take Synapse's copy of a raw message for the echo of one of its deliveries.
    """
    marked = {name: value for name, value in content.items() if name != "com.bitnexus.delivery_id"}
    return marked | {"com.bitnexus.benchmark_": "dlv_" + "x" * 43}
