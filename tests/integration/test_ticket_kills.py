"""The bridge killed after it has acknowledged a ticket: there is one ticket, one room, one first message."""

import os
import signal
from collections.abc import AsyncIterator

import pytest

from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from tests.support.backend import Backend, member_id
from tests.support.own_stack import backend_of
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack that this test may break."""
    async with running_stack(tmp_path_factory.mktemp("tickets"), ports=Ports.free(), with_model=False) as stack:
        yield stack


async def _kill(stack: Stack) -> None:
    os.kill(stack.bridge.process.pid, signal.SIGKILL)
    await stack.bridge.process.wait()
    await stack.bridge.start()


async def _tickets(backend: Backend, tenant_id: str, token: str) -> list[dict[str, object]]:
    items: list[dict[str, object]] = (await backend.ok("GET", f"/v1/tenants/{tenant_id}/tickets", token=token))["items"]
    return items


async def test_a_killed_bridge_leaves_one_ticket_one_room_and_one_first_message(own_stack: Stack) -> None:
    async with backend_of(own_stack) as backend:
        tenant_id = await backend.new_tenant(ann="owner", bob="member")
        bob = await backend.sign_in(member_id(tenant_id, "bob"))
        token = str(bob.session["session_token"])
        body = {"subject": "Printer", "body": "It smokes.", "id": "once"}
        path = f"/v1/tenants/{tenant_id}/tickets"
        opened = await backend.ok("POST", path, body, token=token)
        await _kill(own_stack)
        again = await backend.ok("POST", path, body, token=token)
        assert again["ticket_id"] == opened["ticket_id"]
        rooms = await until(bob.rooms, lambda found: opened["room_key"] in found, seconds=60)
        room_id = rooms[opened["room_key"]]
        await _kill(own_stack)

        async def first_messages() -> list[str]:
            events = await bob.messages(room_id)
            return [e["content"]["body"] for e in events if e["type"] == "m.room.message"]

        await until(first_messages, bool, seconds=60)
        await backend.settle(tenant_id)
        await _kill(own_stack)
        await backend.settle(tenant_id)
        assert await first_messages() == ["Bob:\nIt smokes."]
        assert [item["ticket_id"] for item in await _tickets(backend, tenant_id, token)] == [opened["ticket_id"]]
        assert [key for key in await bob.rooms() if key.startswith("ticket_")] == [opened["room_key"]]
