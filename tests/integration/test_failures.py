"""Things that go away: nothing acknowledged is lost or doubled, nothing is half done, and each says what is missing."""

import asyncio
import json
import os
import signal
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest

from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from tests.support.backend import Backend, Client, member_id
from tests.support.waiting import until

EVENT = {"type": "alert", "to": [{"room": "general"}], "severity": "error", "title": "It burns", "body": "Look!"}


@pytest.fixture(scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack that these tests may break."""
    folder = tmp_path_factory.mktemp("failures")
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


async def shown(client: Client, room_id: str) -> list[str]:
    """Return the delivery ids that stand in the room, in order."""
    events = await client.messages(room_id)
    return [e["content"]["com.bitnexus.delivery_id"] for e in events if "com.bitnexus.delivery_id" in e["content"]]


async def kill(stack: Stack) -> None:
    """Kill the bridge as a power cut would, and start it again."""
    os.kill(stack.bridge.process.pid, signal.SIGKILL)
    await stack.bridge.process.wait()
    await stack.bridge.start()


async def test_an_acknowledged_event_appears_once_though_the_bridge_is_killed(
    own_stack: Stack, broken: Backend
) -> None:
    tenant_id = await broken.new_tenant(bob="member")
    key = await broken.integration_key(tenant_id)
    bob = await broken.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    sent: list[str] = []
    for number in range(12):
        answer = await broken.ok("POST", "/v1/events", EVENT | {"id": f"e{number}"}, token=key)
        sent.append(answer["deliveries"][0]["delivery_id"])
        if number % 4 == 3:
            await kill(own_stack)
            again = await broken.ok("POST", "/v1/events", EVENT | {"id": f"e{number}"}, token=key)
            assert again == answer
    assert await until(lambda: shown(bob, general), lambda seen: len(seen) >= len(sent)) == sent


async def test_a_reconcile_that_is_killed_again_and_again_ends_with_each_room_once(
    own_stack: Stack, broken: Backend
) -> None:
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    rooms = [{"key": f"room{n}", "type": "general", "name": f"Room {n}"} for n in range(6)]
    change = await broken.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": "Killed", "rooms": rooms})
    for delay in (0.15, 0.5, 0.9):
        await asyncio.sleep(delay)  # somewhere in the middle of its work
        await kill(own_stack)
    job = await broken.finish(change)
    assert job is not None
    assert job["state"] == "done", job
    await broken.finish(await broken.put_member(tenant_id, "bob", "member"))
    await broken.settle(tenant_id)
    bob = await broken.sign_in(member_id(tenant_id, "bob"))
    assert (await bob.rooms()).keys() == {"@space", *(room["key"] for room in rooms)}
    made = [room for room in await rooms_made(own_stack) if room["com.bitnexus.tenant_id"] == tenant_id]
    assert sorted(room["com.bitnexus.key"] for room in made) == ["@space", *(room["key"] for room in rooms)]


async def rooms_made(stack: Stack) -> list[dict[str, Any]]:
    """Return the creation of every room that our creator is in, from Synapse's own database."""
    connection = await asyncpg.connect(stack.postgres.dsn("synapse", "synapse"))
    try:
        rows = await connection.fetch(
            "SELECT j.json FROM events e JOIN event_json j USING (event_id) WHERE e.type = 'm.room.create'"
        )
    finally:
        await connection.close()
    return [json.loads(row["json"])["content"] for row in rows]


async def test_without_synapse_events_wait_sessions_say_so_and_nothing_is_lost(
    own_stack: Stack, broken: Backend
) -> None:
    tenant_id = await broken.new_tenant(bob="member")
    key = await broken.integration_key(tenant_id)
    user_id = member_id(tenant_id, "bob")
    bob = await broken.sign_in(user_id)
    general = (await bob.rooms())["general"]
    await own_stack.synapse.stop()
    try:
        ready = await broken.call("GET", "/ready", token=None)
        assert (ready.status, ready.body["dependencies"]) == (503, {"postgresql": True, "synapse": False})
        assert (await broken.call("GET", "/live", token=None)).status == 200
        answer = await broken.ok("POST", "/v1/events", EVENT | {"id": "e1"}, token=key)
        change = await broken.put_member(tenant_id, "cyd", "member")
        token = broken.token_for(user_id)
        refused = await broken.call("POST", "/v1/sessions", {"token": token}, token=None)
        assert (refused.status, refused.body["errcode"]) == (503, "M_UNAVAILABLE")
        assert int(refused.headers["Retry-After"]) >= 1
    finally:
        await own_stack.synapse.start()
    # the token opened nothing, so it is still good
    again = await broken.call("POST", "/v1/sessions", {"token": token}, token=None)
    assert again.status == 200, again.raw
    job = await broken.finish(change)
    assert job is not None
    assert job["state"] == "done", job
    delivery_ids = [answer["deliveries"][0]["delivery_id"]]
    assert await until(lambda: shown(bob, general), bool) == delivery_ids


async def test_without_postgresql_nothing_is_acknowledged(own_stack: Stack, broken: Backend) -> None:
    tenant_id = await broken.new_tenant(bob="member")
    key = await broken.integration_key(tenant_id)
    await own_stack.synapse.stop()
    await own_stack.postgres.stop()
    try:
        for method, path, body, token in (
            ("POST", "/v1/events", EVENT | {"id": "e1"}, key),
            ("PUT", f"/v1/tenants/{tenant_id}", {"name": "x"}, "platform"),
            ("GET", "/v1/tenants", None, "platform"),
        ):
            reply = await broken.call(method, path, body, token=token)
            assert (reply.status, reply.body["errcode"]) == (503, "M_UNAVAILABLE"), reply.raw
        ready = await broken.call("GET", "/ready", token=None)
        assert (ready.status, ready.body["dependencies"]["postgresql"]) == (503, False)
        headers = {"Authorization": f"Bearer {own_stack.credentials.hs_token}"}
        url = f"{own_stack.config.appservice.address}/_matrix/app/v1/transactions/1"
        event = {"type": "x", "event_id": "$x", "room_id": "!x", "sender": "@x:y", "origin_server_ts": 1, "content": {}}
        async with broken.http.put(url, json={"events": [event]}, headers=headers) as response:
            assert response.status == 503  # Synapse keeps it, and tries again
    finally:
        await own_stack.postgres.start()
        await own_stack.synapse.start()
    await until(lambda: broken.call("GET", "/ready", token=None), lambda reply: reply.status == 200)
    assert (await broken.call("POST", "/v1/events", EVENT | {"id": "e1"}, token=key)).status == 202


async def test_a_stop_finishes_what_was_begun_and_loses_nothing(own_stack: Stack, broken: Backend) -> None:
    tenant_id = await broken.new_tenant(bob="member")
    key = await broken.integration_key(tenant_id)
    bob = await broken.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    sent = [
        (await broken.ok("POST", "/v1/events", EVENT | {"id": f"e{n}"}, token=key))["deliveries"][0]["delivery_id"]
        for n in range(10)
    ]
    await own_stack.bridge.stop()
    await own_stack.bridge.start()
    assert await until(lambda: shown(bob, general), lambda seen: len(seen) >= len(sent)) == sent


async def test_without_a_model_the_assistant_says_so_in_words(own_stack: Stack, broken: Backend) -> None:
    tenant_id = await broken.new_tenant(bob="member")
    bob = await broken.sign_in(member_id(tenant_id, "bob"))
    token, path = bob.session["session_token"], f"/v1/tenants/{tenant_id}/ai-rooms"
    room = await until(lambda: broken.ok("POST", path, token=token), lambda answer: answer["room_id"] is not None)
    await broken.settle(tenant_id)
    await bob.say(room["room_id"], "Are you there?")

    async def answer() -> list[str]:
        events = await bob.messages(room["room_id"])
        said = [event for event in events if event["sender"].startswith("@bitnexus_nexushub")]
        return [event["content"]["body"] for event in said if "body" in event["content"]]

    said = await until(answer, bool)
    assert "language model" in said[0]
