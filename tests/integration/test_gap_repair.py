"""What Synapse forgets for us when it dies: every message reaches the read model all the same, once, in its order."""

import json
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.actions.repair_gaps import PAGE
from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from bridge.parts import house_of
from tests.support import waiting
from tests.support.backend import Backend, Client, member_id

T = TypeVar("T")
FILLING = 100
"""Events of a room that fills the stream."""


@pytest.fixture(scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack that these tests may break."""
    folder = tmp_path_factory.mktemp("gaps")
    async with running_stack(folder, ports=Ports.free(), with_model=False) as stack:
        yield stack


@pytest.fixture(scope="module")
async def broken(own_stack: Stack) -> AsyncIterator[Backend]:
    """The BitNexus backend of that stack."""
    issuer = own_stack.config.sessions.issuers[0]
    facts = {
        "bridge_url": own_stack.bridge.url,
        "platform_key": own_stack.credentials.platform_key,
        "server_name": own_stack.config.homeserver.server_name,
        "demo_issuer": {"iss": issuer.iss, "aud": issuer.aud, "alg": issuer.alg, "secret": issuer.secret},
    }
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        yield Backend(http=http, stack=facts)


@asynccontextmanager
async def database(stack: Stack, name: str = "bitnexus") -> AsyncIterator[asyncpg.Connection]:
    """A connection of a superuser, whom row-level security hides nothing from."""
    connection = await asyncpg.connect(stack.postgres.dsn("postgres", name))
    try:
        yield connection
    finally:
        await connection.close()


async def until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Wait as long as a start of everything may take."""
    return await waiting.until(look, wanted, seconds=60)


# --- breaking things ------------------------------------------------------------------------------------------------


async def kill_bridge(stack: Stack) -> None:
    os.kill(stack.bridge.process.pid, signal.SIGKILL)
    await stack.bridge.process.wait()


@asynccontextmanager
async def forgetting(stack: Stack) -> AsyncIterator[None]:
    """Let Synapse forget what happens in the block: the bridge takes nothing meanwhile, and at the end both are killed.

    At the end Synapse runs again and the bridge does not.
    """
    os.kill(stack.bridge.process.pid, signal.SIGSTOP)
    try:
        yield
        os.kill(stack.synapse.process.pid, signal.SIGKILL)
        await stack.synapse.process.wait()
    finally:
        await kill_bridge(stack)
    await stack.synapse.start()


async def forgotten(stack: Stack, event_ids: Sequence[str]) -> set[str]:
    """Return which of these events Synapse will not send us any more, by its own tables."""
    async with database(stack, "synapse") as synapse:
        position = await synapse.fetchval("SELECT stream_ordering FROM appservice_stream_position")
        rows = await synapse.fetch("SELECT event_ids FROM application_services_txns")
        passed = await synapse.fetch(
            "SELECT event_id FROM events WHERE event_id = ANY($1) AND stream_ordering <= $2", event_ids, position
        )
    kept = {event_id for row in rows for event_id in json.loads(row["event_ids"])}
    return {row["event_id"] for row in passed} - kept


# --- what is seen ---------------------------------------------------------------------------------------------------


async def messages_in_synapse(stack: Stack, room_id: str) -> list[str]:
    async with database(stack, "synapse") as synapse:
        rows = await synapse.fetch(
            "SELECT event_id FROM events WHERE room_id = $1 AND type = 'm.room.message' ORDER BY stream_ordering",
            room_id,
        )
    return [row["event_id"] for row in rows]


async def messages_in_read_model(stack: Stack, room_id: str) -> list[str]:
    async with database(stack) as bridge:
        rows = await bridge.fetch("SELECT id FROM chat_messages WHERE room_id = $1 ORDER BY position", room_id)
    return [row["id"] for row in rows]


async def in_inbox(stack: Stack, room_id: str) -> list[str]:
    """Return the messages of a room that the bridge does not know, by their place in the stream."""
    async with database(stack) as bridge:
        rows = await bridge.fetch(
            "SELECT event_id FROM inbox WHERE room_id = $1 AND body ->> 'event_type' = 'm.room.message'"
            " ORDER BY stream_position",
            room_id,
        )
    return [row["event_id"] for row in rows]


async def gaps_repaired(stack: Stack, http: aiohttp.ClientSession) -> float:
    """Return bitnexus_gap_repaired_total of events, all reasons together, of the bridge that runs now."""
    async with http.get(f"http://127.0.0.1:{stack.ports.metrics}/metrics") as response:
        families = text_string_to_metric_families(await response.text())
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "bitnexus_gap_repaired_total" and sample.labels["stream"] == "events"
        )


# --- who talks ------------------------------------------------------------------------------------------------------


class Masquerade:
    """The application service at Synapse, in the name of whom it is told."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self._stack, self._http = stack, http

    async def do(self, user_id: str, method: str, path: str, body: Mapping[str, Any]) -> Any:
        url = f"{self._stack.synapse.url}/_matrix/client/v3{path}"
        headers = {"Authorization": f"Bearer {self._stack.credentials.as_token}"}
        async with self._http.request(method, url, json=body, params={"user_id": user_id}, headers=headers) as response:
            assert response.status == 200, (path, await response.text())
            return await response.json()

    async def direct_chat(self, tenant_id: str, space_id: str, people: Sequence[Client]) -> str:
        """Make a room as direct chats are: our bot creates it, two people join, both bots leave."""
        bots = house_of(self._stack.config).bots
        creator, keeper = bots.creator, bots.keeper
        ids = [person.matrix_id for person in people]
        marker = {"tenant_id": tenant_id, "key": f"dm-{uuid.uuid4().hex}", "type": "dm", "space_id": space_id}
        body = {
            "room_version": "12",
            "preset": "private_chat",
            "invite": [keeper, *ids],
            "creation_content": {"additional_creators": [keeper]},
            "initial_state": [{"type": "com.bitnexus.room", "state_key": "", "content": marker}],
        }
        room_id: str = (await self.do(creator, "POST", "/createRoom", body))["room_id"]
        for user_id in (keeper, *ids):
            await self.do(user_id, "POST", f"/join/{quote(room_id)}", {})
        for bot in (keeper, creator):
            await self.do(bot, "POST", f"/rooms/{quote(room_id)}/leave", {})
        return room_id

    async def fill(self, count: int) -> None:
        """Put at least so many events into the stream, by rooms full of state."""
        state = [{"type": "test.filler", "state_key": str(number), "content": {}} for number in range(FILLING)]
        body = {"room_version": "12", "preset": "private_chat", "initial_state": state}
        for _ in range(0, count, FILLING):
            await self.do(house_of(self._stack.config).bots.creator, "POST", "/createRoom", body)


async def test_what_synapse_forgot_is_handled_once_and_in_its_order(own_stack: Stack, broken: Backend) -> None:
    tenant_id = await broken.new_tenant(ann="member", bob="member")
    ann, bob = [await broken.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob")]
    rooms = await ann.rooms()
    general = rooms["general"]
    direct = await Masquerade(own_stack, broken.http).direct_chat(tenant_id, rooms["@space"], (ann, bob))
    ignored = {"ignored_users": {ann.matrix_id: {}}}
    await bob.ok("PUT", f"v3/user/{bob.matrix_id}/account_data/m.ignored_user_list", ignored)
    before = await ann.say(general, "before")
    await until(lambda: messages_in_read_model(own_stack, general), lambda seen: seen == [before])

    said: dict[str, list[str]] = {general: [before], direct: []}
    async with forgetting(own_stack):
        for number in range(30):
            for room_id in (general, direct):
                said[room_id].append(await (ann, bob)[number % 2].say(room_id, f"message {number}"))
    lost = await forgotten(own_stack, [*said[general], *said[direct]])
    assert lost & set(said[general])
    assert lost & set(said[direct])
    after = await bob.say(general, "after")
    said[general].append(after)
    await own_stack.bridge.start()

    seen = await until(lambda: messages_in_read_model(own_stack, general), lambda seen: len(seen) >= len(said[general]))
    assert seen == said[general] == await messages_in_synapse(own_stack, general)
    assert await until(lambda: in_inbox(own_stack, direct), lambda seen: len(seen) >= 30) == said[direct]
    await until(lambda: gaps_repaired(own_stack, broken.http), lambda count: count >= len(lost))


async def test_a_synapse_that_dies_alone_is_noticed_and_what_it_forgot_is_taken_in(
    own_stack: Stack, broken: Backend
) -> None:
    """The bridge goes on without a restart: the module's new instance tells."""
    tenant_id = await broken.new_tenant(ann="member")
    ann = await broken.sign_in(member_id(tenant_id, "ann"))
    general = (await ann.rooms())["general"]
    repaired = await gaps_repaired(own_stack, broken.http)
    os.kill(own_stack.bridge.process.pid, signal.SIGSTOP)
    try:
        said = [await ann.say(general, f"message {number}") for number in range(20)]
        os.kill(own_stack.synapse.process.pid, signal.SIGKILL)
        await own_stack.synapse.process.wait()
        await own_stack.synapse.start()
        lost = await forgotten(own_stack, said)
        assert lost
    finally:
        os.kill(own_stack.bridge.process.pid, signal.SIGCONT)
    seen = await until(lambda: messages_in_read_model(own_stack, general), lambda seen: len(seen) >= len(said))
    assert seen == said == await messages_in_synapse(own_stack, general)
    await until(lambda: gaps_repaired(own_stack, broken.http), lambda count: count > repaired)


async def test_a_bridge_that_is_killed_in_the_middle_of_a_repair_goes_on_from_there(
    own_stack: Stack, broken: Backend
) -> None:
    tenant_id = await broken.new_tenant(ann="member")
    ann = await broken.sign_in(member_id(tenant_id, "ann"))
    general = (await ann.rooms())["general"]
    async with forgetting(own_stack):
        await Masquerade(own_stack, broken.http).fill(PAGE)
        said = [await ann.say(general, f"message {number}") for number in range(40)]
    lost = await forgotten(own_stack, said)
    last_lost = next(event_id for event_id in reversed(said) if event_id in lost)

    async with database(own_stack) as bridge:
        start = await bridge.fetchval("SELECT position FROM stream_positions WHERE name = 'events'")
        blocked = bridge.transaction()
        await blocked.start()
        # whoever stores this event has to wait for us
        await bridge.execute(
            "INSERT INTO inbox (event_id, room_id, kind, body) VALUES ($1, $2, 'event', '{}')", last_lost, general
        )
        await own_stack.bridge.start()
        reached = await until(lambda: position_while_waiting(own_stack), lambda position: position > start)
        await kill_bridge(own_stack)
        await blocked.rollback()
    await own_stack.bridge.start()
    seen = await until(lambda: messages_in_read_model(own_stack, general), lambda seen: len(seen) >= len(said))
    assert seen == said
    async with database(own_stack, "synapse") as synapse:
        left = await synapse.fetchval("SELECT count(*) FROM events WHERE stream_ordering > $1", reached)
    repaired = await until(lambda: gaps_repaired(own_stack, broken.http), lambda count: count > 0)
    assert repaired <= left < PAGE


async def position_while_waiting(stack: Stack) -> int:
    """Return how far the repair has come when it waits for somebody else's lock, and 0 while it does not."""
    async with database(stack) as bridge:
        waiting = await bridge.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INTO inbox%'"
        )
        position: int = await bridge.fetchval("SELECT position FROM stream_positions WHERE name = 'events'")
    return position if waiting else 0
