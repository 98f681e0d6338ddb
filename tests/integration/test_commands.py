"""Commands written in Element: a ticket is opened, assigned, closed and opened again by what people write."""

import uuid
from typing import Any
from urllib.parse import quote

from tests.support.backend import Backend, Client, member_id
from tests.support.waiting import until


async def write(client: Client, room_id: str, body: str, *mentioned: str) -> str:
    content = {"msgtype": "m.text", "body": body, "m.mentions": {"user_ids": list(mentioned)}}
    path = f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}"
    return str((await client.ok("PUT", path, content))["event_id"])


async def answers_to(client: Client, room_id: str, event_id: str) -> list[dict[str, Any]]:
    return [
        event
        for event in await client.messages(room_id)
        if event["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id") == event_id
    ]


async def command(client: Client, room_id: str, body: str, *mentioned: str) -> str:
    """Write a command, and return its one answer."""
    event_id = await write(client, room_id, body, *mentioned)
    found = await until(lambda: answers_to(client, room_id, event_id), bool)
    assert len(found) == 1
    content = found[0]["content"]
    assert content["msgtype"] == "m.notice"
    assert content["m.mentions"] == {"user_ids": [client.matrix_id]}
    return str(content["body"])


async def test_a_ticket_lives_by_commands(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member", eve="member")
    ann, bob, eve = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob", "eve")]
    general = (await bob.rooms())["general"]
    assert "!ticket" in await command(bob, general, "!help")
    assert (await command(bob, general, "!dance")).startswith("There is no such command.")
    assert "needs a subject" in await command(bob, general, "!ticket")
    assert "#1 is open" in await command(bob, general, "!ticket Printer\nIt smokes.")
    await backend.settle(tenant_id)
    path, token = f"/v1/tenants/{tenant_id}/tickets", str(bob.session["session_token"])
    [ticket] = (await backend.ok("GET", path, token=token))["items"]
    room_id = (await until(bob.rooms, lambda found: ticket["room_key"] in found))[ticket["room_key"]]
    await until(ann.rooms, lambda found: ticket["room_key"] in found)
    assert "no such ticket here" in await command(bob, general, "!close")
    assert "Only those who answer" in await command(bob, room_id, "!assign Ann", ann.matrix_id)
    assert "nobody" in await command(ann, room_id, "!assign Eve", eve.matrix_id)
    assert "is assigned" in await command(ann, room_id, "!assign Ann", ann.matrix_id)
    assert "is closed" in await command(ann, room_id, "!close")
    await backend.settle(tenant_id)
    shown = await backend.ok("GET", f"{path}/{ticket['ticket_id']}", token=token)
    assert (shown["status"], shown["assignee"]) == ("closed", member_id(tenant_id, "ann"))
    assert "no such ticket" in await command(eve, general, "!reopen 1"), "others' tickets are not there"
    assert "is open again" in await command(bob, general, "!reopen #1")
    await backend.settle(tenant_id)
    await bob.say(room_id, "Thank you.")
