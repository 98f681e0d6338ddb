"""Rooms on a real Synapse: groups as sub-spaces, pictures, and owners and admins who change rooms themselves."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.backend import Backend, Client, member_id
from tests.support.waiting import until

ROOMS = [
    {"key": "general", "type": "general", "name": "General"},
    {"key": "leads", "type": "custom", "name": "Leads", "group": "Sales & more"},
    {"key": "deals", "type": "announcement", "name": "Deals", "group": "Sales & more"},
]
GROUP = "@group:Sales & more"
PICTURE = "mxc://bitnexus.localhost/picture"


async def state(client: Client, room_id: str) -> dict[tuple[str, str], dict[str, Any]]:
    events = await client.ok("GET", f"v3/rooms/{quote(room_id)}/state")
    return {(event["type"], event["state_key"]): event["content"] for event in events}


def links(found: dict[tuple[str, str], dict[str, Any]], kind: str) -> set[str]:
    return {key for (event_type, key), content in found.items() if event_type == kind and content.get("via")}


async def test_a_group_is_a_space_in_the_tenants_space_with_everybody_in_it(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, ann="owner", bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    rooms = await bob.rooms()
    assert rooms.keys() == {"@space", GROUP, "general", "leads", "deals"}
    group = await state(bob, rooms[GROUP])
    assert group["m.room.create", ""]["type"] == "m.space"
    assert group["com.bitnexus.room", ""]["type"] == "group"
    assert links(group, "m.space.child") == {rooms["leads"], rooms["deals"]}
    assert links(group, "m.space.parent") == {rooms["@space"]}
    assert links(await state(bob, rooms["@space"]), "m.space.child") == {rooms["general"], rooms[GROUP]}
    leads = await state(bob, rooms["leads"])
    assert leads["m.space.parent", rooms[GROUP]]["canonical"] is True
    assert [entry["room_id"] for entry in leads["m.room.join_rules", ""]["allow"]] == [rooms["@space"]]
    words = {"msgtype": "m.text", "body": "x"}
    refused = await bob.call("PUT", f"v3/rooms/{quote(rooms[GROUP])}/send/m.room.message/1", words)
    assert (refused.status, refused.body["errcode"]) == (403, "M_FORBIDDEN")


async def test_a_room_leaves_its_group_and_the_last_one_closes_it(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    before = await bob.rooms()
    for key, group in (("leads", ""), ("deals", "Field work")):
        change = await backend.ok("PATCH", f"/v1/tenants/{tenant_id}/rooms/{key}", {"group": group})
        await backend.finish(change)
    await backend.settle(tenant_id)
    rooms = await bob.rooms()
    assert rooms.keys() == {"@space", "@group:Field work", "general", "leads", "deals"}
    assert (rooms["leads"], rooms["deals"]) == (before["leads"], before["deals"]), "the rooms are the same"
    assert links(await state(bob, rooms["deals"]), "m.space.parent") == {rooms["@group:Field work"]}
    children = links(await state(bob, rooms["@space"]), "m.space.child")
    assert children == {rooms["general"], rooms["leads"], rooms["@group:Field work"]}
    await backend.finish(await backend.ok("PATCH", f"/v1/tenants/{tenant_id}/rooms/leads", {"group": "Sales & more"}))
    await backend.settle(tenant_id)
    assert (await bob.rooms())[GROUP] == before[GROUP], "an old group is opened again"


async def test_who_joins_and_leaves_the_tenant_joins_and_leaves_its_groups(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, ann="owner", bob="member")
    bob = await backend.look_as(member_id(tenant_id, "bob"))
    group = (await bob.rooms())[GROUP]
    await backend.finish(await backend.ok("DELETE", f"/v1/tenants/{tenant_id}/members/{member_id(tenant_id, 'bob')}"))
    assert await bob.rooms() == {}
    assert (await bob.call("POST", f"v3/rooms/{quote(group)}/join", {})).status == 403


async def test_pictures_of_tenants_rooms_and_people_are_set_and_taken_away(backend: Backend) -> None:
    rooms = [ROOMS[0] | {"avatar_url": PICTURE + "R"}]
    tenant_id = await backend.new_tenant(rooms=rooms, bob="member")
    await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": "With pictures", "avatar_url": PICTURE + "T"})
    person = member_id(tenant_id, "bob")
    await backend.ok("PUT", f"/v1/users/{person}", {"avatar_url": PICTURE + "P"})
    await backend.settle(tenant_id)
    bob = await backend.sign_in(person)
    found = await bob.rooms()
    assert (await state(bob, found["@space"]))["m.room.avatar", ""] == {"url": PICTURE + "T"}
    assert (await state(bob, found["general"]))["m.room.avatar", ""] == {"url": PICTURE + "R"}
    profile = f"v3/profile/{quote(bob.matrix_id)}"
    assert (await bob.ok("GET", profile))["avatar_url"] == PICTURE + "P"
    await backend.ok("PATCH", f"/v1/tenants/{tenant_id}/rooms/general", {"avatar_url": ""})
    await backend.ok("PUT", f"/v1/users/{person}", {"avatar_url": ""})
    await backend.settle(tenant_id)
    assert "url" not in (await state(bob, found["general"]))["m.room.avatar", ""]
    assert not (await bob.ok("GET", profile)).get("avatar_url")


async def test_an_admin_adds_a_room_and_everybody_is_in_it(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", ada="admin", bob="member")
    ada, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ada", "bob")]
    token, path = ada.session["session_token"], f"/v1/tenants/{tenant_id}/rooms"
    body = {"key": "lunch", "type": "custom", "name": "Lunch", "optional": True}
    added = await backend.ok("POST", path, body, token=token)
    await backend.finish(added)
    lunch = (await bob.rooms())["lunch"]
    assert (await backend.ok("POST", path, body, token=token))["revision"] == added["revision"]
    await backend.finish(await backend.ok("PATCH", f"{path}/lunch", {"name": "Lunch at one"}, token=token))
    assert (await state(bob, lunch))["m.room.name", ""] == {"name": "Lunch at one"}
    # an optional room lets people go, and they may come back
    await bob.ok("POST", f"v3/rooms/{quote(lunch)}/leave", {})
    await backend.settle(tenant_id)
    assert "lunch" not in await bob.rooms()
    await bob.ok("POST", f"v3/rooms/{quote(lunch)}/join", {})
    assert (await bob.rooms())["lunch"] == lunch
    await backend.finish(await backend.ok("DELETE", f"{path}/lunch", token=token))
    assert "lunch" not in await bob.rooms()


FOREIGN: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/rooms", {"key": "x", "type": "custom", "name": "X"}),
    ("PATCH", "/rooms/general", {"name": "Taken over"}),
    ("DELETE", "/rooms/general", None),
    ("PATCH", "/members/{eve}", {"role": "guest"}),
    ("GET", "/explain?user_id={eve}&room=general", None),
    ("GET", "/explain?user_id={eve}&room={room}", None),
]


@pytest.fixture(scope="module")
async def neighbours(backend: Backend) -> tuple[Client, Client, str, str]:
    """Ann, who owns one tenant; Eve, who owns another; the ids of both tenants."""
    ours = await backend.new_tenant(ann="owner", bob="member")
    theirs = await backend.new_tenant(eve="owner")
    ann = await backend.sign_in(member_id(ours, "ann"))
    return ann, await backend.sign_in(member_id(theirs, "eve")), ours, theirs


@pytest.mark.parametrize(("method", "path", "body"), FOREIGN)
async def test_row_18_an_owner_finds_in_a_foreign_tenant_what_is_in_an_absent_one(
    backend: Backend,
    neighbours: tuple[Client, Client, str, str],
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    ann, eve, _, theirs = neighbours
    token = ann.session["session_token"]
    general = (await eve.rooms())["general"]
    filled = path.replace("{eve}", member_id(theirs, "eve")).replace("{room}", quote(general))
    foreign = await backend.call(method, f"/v1/tenants/{theirs}{filled}", body, token=token)
    absent = await backend.call(method, f"/v1/tenants/absent{filled}", body, token=token)
    assert (foreign.status, foreign.raw) == (absent.status, absent.raw)
    assert foreign.status == 404
    assert (await state(eve, general))["m.room.name", ""] == {"name": "General"}


async def test_row_18_a_foreign_person_in_a_list_refuses_the_whole_request(
    backend: Backend, neighbours: tuple[Client, Client, str, str]
) -> None:
    ann, _, ours, theirs = neighbours
    token, path = ann.session["session_token"], f"/v1/tenants/{ours}/rooms"
    answers = []
    for stranger in (member_id(theirs, "eve"), "absent"):
        body = {"key": "x", "type": "custom", "name": "X", "access": "invite"}
        reply = await backend.call("POST", path, body | {"members": [member_id(ours, "bob"), stranger]}, token=token)
        answers.append((reply.status, reply.raw.decode().replace(stranger, "WHO")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert [room["key"] for room in (await backend.ok("GET", f"/v1/tenants/{ours}"))["rooms"]] == ["general"]


async def test_who_is_no_admin_changes_nothing(backend: Backend, neighbours: tuple[Client, Client, str, str]) -> None:
    _, _, ours, _ = neighbours
    bob = await backend.sign_in(member_id(ours, "bob"))
    token = bob.session["session_token"]
    for method, path, body in (
        ("POST", "rooms", {"key": "x", "type": "custom", "name": "X"}),
        ("DELETE", "rooms/general", None),
        ("PATCH", f"members/{member_id(ours, 'bob')}", {"role": "owner"}),
    ):
        reply = await backend.call(method, f"/v1/tenants/{ours}/{path}", body, token=token)
        assert (reply.status, reply.body["errcode"]) == (403, "M_FORBIDDEN")
    assert (await until(bob.rooms, lambda rooms: "general" in rooms)).keys() == {"@space", "general"}
