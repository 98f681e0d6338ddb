"""Rooms of version 11, where our creators have a level like everybody: the same tenancy, on a stack of its own."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from tests.support.backend import Backend, Client, member_id
from tests.support.own_stack import backend_of

ROOMS = [
    {"key": "general", "type": "general", "name": "General"},
    {"key": "news", "type": "announcement", "name": "News", "group": "House"},
]


@pytest.fixture(scope="module")
async def stack_11(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack whose bridge makes rooms of version 11."""
    folder = tmp_path_factory.mktemp("version11")
    overrides = {"homeserver": {"room_version": "11"}}
    async with running_stack(folder, ports=Ports.free(), with_model=False, overrides=overrides, keep=False) as stack:
        yield stack


@pytest.fixture(scope="module")
async def backend_11(stack_11: Stack) -> AsyncIterator[Backend]:
    """The BitNexus backend of that stack."""
    async with backend_of(stack_11) as backend:
        yield backend


async def content(client: Client, room_id: str, event_type: str) -> dict[str, Any]:
    found: dict[str, Any] = await client.ok("GET", f"v3/rooms/{quote(room_id)}/state/{event_type}/")
    return found


async def test_rooms_and_groups_are_of_version_11_and_list_their_creators(backend_11: Backend) -> None:
    tenant_id = await backend_11.new_tenant(rooms=ROOMS, ann="owner", bob="member")
    bob = await backend_11.sign_in(member_id(tenant_id, "bob"))
    rooms = await bob.rooms()
    assert rooms.keys() == {"@space", "@group:House", "general", "news"}
    server = backend_11.stack["server_name"]
    for room_id in rooms.values():
        birth = await content(bob, room_id, "m.room.create")
        assert (birth["room_version"], "additional_creators" in birth) == ("11", False)
        users = (await content(bob, room_id, "m.room.power_levels"))["users"]
        assert {users[f"@bitnexus:{server}"], users[f"@bitnexus_keeper:{server}"]} == {150}
        assert users[f"@bitnexus_relay:{server}"] == 149


async def test_roles_are_given_and_taken_and_people_come_and_go(backend_11: Backend) -> None:
    tenant_id = await backend_11.new_tenant(rooms=ROOMS, ann="owner", ada="admin", bob="member")
    ann, ada, bob = [await backend_11.look_as(member_id(tenant_id, name)) for name in ("ann", "ada", "bob")]
    general = (await bob.rooms())["general"]
    path, token = f"/v1/tenants/{tenant_id}/members", ann.session["session_token"]
    demoted = await backend_11.ok("PATCH", f"{path}/{member_id(tenant_id, 'ada')}", {"role": "guest"}, token=token)
    await backend_11.finish(demoted)
    assert ada.matrix_id not in (await content(bob, general, "m.room.power_levels"))["users"]
    await backend_11.finish(await backend_11.ok("DELETE", f"{path}/{member_id(tenant_id, 'bob')}"))
    assert await bob.rooms() == {}
    await backend_11.finish(await backend_11.put_member(tenant_id, "bob", "moderator"))
    await backend_11.settle(tenant_id)
    assert (await bob.rooms())["general"] == general
    found = await backend_11.ok(
        "GET", f"/v1/tenants/{tenant_id}/explain?user_id={member_id(tenant_id, 'bob')}&room=news"
    )
    assert found["power_level"] == {"desired": 50, "observed": 50}


async def test_the_same_again_makes_nothing_to_do(backend_11: Backend) -> None:
    tenant_id = await backend_11.new_tenant(rooms=ROOMS, bob="member")
    again = await backend_11.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": f"Tenant {tenant_id}", "rooms": ROOMS})
    assert again["job_id"] is None
