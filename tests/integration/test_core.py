"""The durable core against the real Synapse: what it refuses for a moment only, and events that are odd."""

import uuid
from urllib.parse import quote

import asyncpg

from bridge.config import load_config
from tests.integration.test_events import delivered, relayed, send
from tests.support.backend import Backend, member_id
from tests.support.matrix_calls import config_of
from tests.support.waiting import until


async def test_an_event_that_comes_while_its_room_is_being_made_arrives(backend: Backend) -> None:
    """The room is known as soon as it is created; our bot comes in a little later."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    rooms = [{"key": f"room{number}", "type": "custom", "name": f"Room {number}"} for number in range(6)]
    await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": "New", "rooms": rooms})
    key = await backend.integration_key(tenant_id)
    for room in rooms:
        event = {"type": "t", "id": room["key"], "to": [{"room": room["key"]}], "title": room["name"]}
        # refused with 404 until the room is created, and accepted that very moment
        reply = await until(lambda event=event: send(backend, key, event), lambda found: found.status == 202)
        assert (await delivered(backend, key, reply))["state"] == "delivered"


async def test_an_event_as_deep_as_synapse_takes_it_holds_up_nobody(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    accepted = 0
    for depth in (100, 110, 120, 125, 130, 400, 900):
        text = '{"msgtype": "m.text", "body": "deep", "deep": ' + "[" * depth + '"\\u0000"' + "]" * depth + "}"
        path = f"v3/rooms/{quote(general)}/send/m.room.message/{uuid.uuid4().hex}"
        url = f"{bob.session['homeserver_url']}/_matrix/client/{path}"
        headers = {"Authorization": f"Bearer {bob.session['access_token']}", "Content-Type": "application/json"}
        async with backend.http.put(url, data=text, headers=headers) as response:
            accepted += response.status == 200
    assert accepted, "this one takes about 120 levels; we read 900"
    key = await backend.integration_key(tenant_id)
    reply = await send(backend, key)
    assert (await delivered(backend, key, reply))["state"] == "delivered"
    said = await bob.say(general, "still here")
    owner = await asyncpg.connect(backend.stack["postgres_dsn"])
    try:
        question = "SELECT count(*) FROM chat_messages WHERE id = $1"
        await until(lambda: owner.fetchval(question, said), bool)
    finally:
        await owner.close()


async def test_a_bot_that_lost_its_device_goes_on(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    relay = f"@bitnexus_relay:{backend.stack['server_name']}"
    as_token = load_config(config_of(backend), {}).appservice.as_token
    url = f"{backend.stack['synapse_url']}/_matrix/client/v3/devices/BITNEXUS"
    headers = {"Authorization": f"Bearer {as_token}"}
    async with backend.http.delete(url, params={"user_id": relay}, json={}, headers=headers) as response:
        assert response.status == 200, await response.text()
    key = await backend.integration_key(tenant_id)
    reply = await send(backend, key)
    assert (await delivered(backend, key, reply))["state"] == "delivered"
    assert len(await relayed(bob, general)) == 1
