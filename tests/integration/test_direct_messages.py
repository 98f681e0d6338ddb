"""Direct chats on a real Synapse: two members and nobody else, whatever becomes of the two."""

import asyncio
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.backend import Backend, Client, member_id
from tests.support.waiting import until


async def open_chat(backend: Backend, tenant_id: str, asker: Client, other: str) -> dict[str, Any]:
    """Open a direct chat as a person, and return the answer once its room stands."""
    path, body = f"/v1/tenants/{tenant_id}/dms", {"user_id": member_id(tenant_id, other)}
    token = asker.session["session_token"]
    await backend.finish(await backend.ok("POST", path, body, token=token))
    found: dict[str, Any] = await until(
        lambda: backend.ok("POST", path, body, token=token), lambda answer: answer["room_id"] is not None
    )
    return found


async def members(client: Client, room_id: str) -> dict[str, str]:
    """Return who is or was in a room, with their membership."""
    found = await client.ok("GET", f"v3/rooms/{quote(room_id)}/members")
    return {event["state_key"]: event["content"]["membership"] for event in found["chunk"]}


async def inside(client: Client, room_id: str) -> set[str]:
    return {who for who, membership in (await members(client, room_id)).items() if membership == "join"}


async def say(client: Client, room_id: str, text: str) -> int:
    body = {"msgtype": "m.text", "body": text}
    reply = await client.call("PUT", f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}", body)
    return reply.status


async def test_a_direct_chat_has_two_members_and_no_name_and_both_can_write(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member", cyd="member")
    ann, bob, cyd = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob", "cyd")]
    room_id = (await open_chat(backend, tenant_id, ann, "bob"))["room_id"]
    await until(lambda: inside(bob, room_id), lambda found: found == {ann.matrix_id, bob.matrix_id})
    assert (await say(ann, room_id, "Hello"), await say(bob, room_id, "Hi")) == (200, 200)
    state = await ann.ok("GET", f"v3/rooms/{quote(room_id)}/state")
    kinds = {event["type"] for event in state}
    assert not kinds & {"m.room.name", "m.room.topic", "m.room.avatar", "m.space.parent", "m.room.encryption"}
    invites = [event for event in state if event["type"] == "m.room.member" and event["state_key"] == bob.matrix_id]
    assert [event["unsigned"].get("prev_content", {}).get("is_direct") for event in invites] == [True]
    assert (await cyd.call("GET", f"v3/rooms/{quote(room_id)}/state")).status == 403
    again = await open_chat(backend, tenant_id, bob, "ann")
    assert (again["room_id"], again["job_id"]) == (room_id, None), "asked from the other side it is the same one"
    assert (await backend.ok("GET", f"/v1/tenants/{tenant_id}/plan"))["effects"] == []


async def test_both_open_it_at_the_same_moment_and_it_is_one(backend: Backend) -> None:
    people = {f"p{n}": "member" for n in range(6)}
    tenant_id = await backend.new_tenant(ann="owner", **people)
    clients = {name: await backend.sign_in(member_id(tenant_id, name)) for name in people}

    async def ask(asker: str, other: str) -> str:
        body = {"user_id": member_id(tenant_id, other)}
        token = clients[asker].session["session_token"]
        return str((await backend.ok("POST", f"/v1/tenants/{tenant_id}/dms", body, token=token))["key"])

    pairs = [(one, other) for one in people for other in people if one < other]
    for one, other in pairs:
        keys = await asyncio.gather(*(ask(*pair) for _ in range(7) for pair in ((one, other), (other, one))))
        assert len(set(keys)) == 1
    await backend.settle(tenant_id)
    for one, other in pairs:
        both = {clients[one].matrix_id, clients[other].matrix_id}
        found = [room for room in (await clients[one].rooms()).values() if await inside(clients[one], room) == both]
        assert len(found) == 1, (one, other)


@pytest.mark.parametrize(
    ("other", "status", "path"),
    [("nobody", 404, "$.user_id"), ("ann", 400, "$.user_id"), ("No Body", 400, "$.user_id")],
)
async def test_who_cannot_be_talked_to_is_refused_in_one_way(
    backend: Backend, other: str, status: int, path: str
) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    foreign = await backend.new_tenant(gus="owner")
    ann = await backend.sign_in(member_id(tenant_id, "ann"))
    named = {"nobody": "nobody", "ann": member_id(tenant_id, "ann"), "No Body": "No Body"}[other]
    token, where = ann.session["session_token"], f"/v1/tenants/{tenant_id}/dms"
    refused = await backend.call("POST", where, {"user_id": named}, token=token)
    assert (refused.status, refused.body["path"]) == (status, path)
    if status == 404:
        of_another = await backend.call("POST", where, {"user_id": member_id(foreign, "gus")}, token=token)
        assert of_another.raw == refused.raw, "a foreign person and an absent one are the same"


async def test_who_leaves_the_tenant_is_out_and_the_other_can_still_read(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    ann, bob = [await backend.look_as(member_id(tenant_id, name)) for name in ("ann", "bob")]
    room_id = (await open_chat(backend, tenant_id, ann, "bob"))["room_id"]
    await say(bob, room_id, "Remember this")
    await backend.finish(await backend.ok("DELETE", f"/v1/tenants/{tenant_id}/members/{member_id(tenant_id, 'bob')}"))
    assert bob.matrix_id not in await inside(ann, room_id)
    assert await say(ann, room_id, "Are you there?") == 403
    page = await ann.ok("GET", f"v3/rooms/{quote(room_id)}/messages", dir="b", limit="50")
    assert "Remember this" in [event["content"].get("body") for event in page["chunk"]]
    await backend.finish(await backend.put_member(tenant_id, "bob", "member"))
    await backend.settle(tenant_id)
    await until(lambda: inside(ann, room_id), lambda found: found == {ann.matrix_id, bob.matrix_id})
    assert (await say(bob, room_id, "I am back"), await say(ann, room_id, "Welcome")) == (200, 200)


async def test_a_tenant_switches_direct_chats_off_and_on(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member", cyd="member")
    ann, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob")]
    room_id = (await open_chat(backend, tenant_id, ann, "bob"))["room_id"]
    body = {"name": "Quiet", "settings": {"dms": False}}
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", body))
    assert await say(ann, room_id, "Psst") == 403
    assert {ann.matrix_id, bob.matrix_id} <= await inside(ann, room_id), "they can read what they said"
    refused = await backend.call(
        "POST",
        f"/v1/tenants/{tenant_id}/dms",
        {"user_id": member_id(tenant_id, "cyd")},
        token=ann.session["session_token"],
    )
    assert refused.status == 403
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", body | {"settings": {"dms": True}}))
    await backend.settle(tenant_id)
    assert await say(ann, room_id, "At last") == 200
    assert await inside(ann, room_id) == {ann.matrix_id, bob.matrix_id}


async def test_who_leaves_by_themselves_is_let_go_until_it_is_opened_again(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    ann, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob")]
    room_id = (await open_chat(backend, tenant_id, ann, "bob"))["room_id"]
    await bob.ok("POST", f"v3/rooms/{quote(room_id)}/leave", {})
    await until(lambda: say(ann, room_id, "Gone?"), lambda status: status == 403)
    await backend.settle(tenant_id)
    assert bob.matrix_id not in await inside(ann, room_id)
    again = await open_chat(backend, tenant_id, ann, "bob")
    assert again["room_id"] == room_id
    await until(lambda: inside(ann, room_id), lambda found: found == {ann.matrix_id, bob.matrix_id})
    assert await say(bob, room_id, "Here I am") == 200


async def test_when_both_have_left_another_one_takes_its_place(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    ann, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob")]
    room_id = (await open_chat(backend, tenant_id, ann, "bob"))["room_id"]
    await asyncio.gather(*(who.ok("POST", f"v3/rooms/{quote(room_id)}/leave", {}) for who in (ann, bob)))
    await until(lambda: members_listed(backend, tenant_id), lambda listed: listed == 0)
    await backend.settle(tenant_id)
    again = await open_chat(backend, tenant_id, ann, "bob")
    await until(lambda: inside(bob, again["room_id"]), lambda found: found == {ann.matrix_id, bob.matrix_id})
    assert await say(bob, again["room_id"], "Once more") == 200


async def members_listed(backend: Backend, tenant_id: str) -> int:
    """Return how many of the two the plan would bring back into their chat."""
    plan = await backend.ok("GET", f"/v1/tenants/{tenant_id}/plan")
    return sum(effect["kind"] == "join_user" for effect in plan["effects"])


# --- started in Element ---------------------------------------------------------------------------------------------


def chat_as_element_starts_it(*invitees: str) -> dict[str, Any]:
    """Return what Element Web sends to ``/createRoom`` when somebody chooses a person to talk to."""
    return {
        "preset": "trusted_private_chat",
        "visibility": "private",
        "invite": list(invitees),
        "is_direct": True,
        "initial_state": [
            {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "can_join"}},
        ],
    }


async def direct_rooms(client: Client) -> dict[str, str]:
    return {key: room_id for key, room_id in (await client.rooms()).items() if key.startswith("dm_")}


async def direct_list(client: Client) -> Any:
    """Return what a person's clients tell direct chats by."""
    reply = await client.call("GET", f"v3/user/{quote(client.matrix_id)}/account_data/m.direct")
    return reply.body if reply.status == 200 else {}


async def test_a_chat_started_in_element_is_made_by_us_and_found_again(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    ann, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob")]
    told = await ann.call("POST", "v3/createRoom", chat_as_element_starts_it(bob.matrix_id))
    assert (told.status, told.body["error"]) == (403, "Your chat with Bob is ready in your list.")
    found = await until(lambda: direct_rooms(bob), lambda rooms: len(rooms) == 1, seconds=5)
    await until(lambda: direct_rooms(ann), lambda rooms: rooms == found, seconds=5)
    (room_id,) = found.values()
    await until(lambda: inside(ann, room_id), lambda present: present == {ann.matrix_id, bob.matrix_id})
    for client, other in ((ann, bob), (bob, ann)):
        wanted = {other.matrix_id: [room_id]}
        await until(lambda: direct_list(client), lambda listed: listed == wanted, seconds=10)  # noqa: B023 - awaited here
    again = await bob.call("POST", "v3/createRoom", chat_as_element_starts_it(ann.matrix_id))
    assert (again.status, again.body["error"]) == (403, "Your chat with Ann is ready in your list.")
    await backend.settle(tenant_id)
    assert await direct_rooms(bob) == found


async def test_what_is_not_between_two_people_of_a_tenant_is_refused_with_a_sentence(backend: Backend) -> None:
    tenant_id, foreign = await backend.new_tenant(ann="owner", bob="member"), await backend.new_tenant(gus="owner")
    ann, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob")]
    gus = await backend.sign_in(member_id(foreign, "gus"))
    absent = f"@u_nobody:{backend.stack['server_name']}"
    for invitees, sentence in (
        ((gus.matrix_id,), "You cannot start a chat with this person."),
        ((absent,), "You cannot start a chat with this person."),
        ((bob.matrix_id, gus.matrix_id), "A chat is between two people."),
        ((ann.matrix_id,), "A chat is between two people."),
        ((), "A chat is between two people."),
    ):
        told = await ann.call("POST", "v3/createRoom", chat_as_element_starts_it(*invitees))
        assert told.status == 403
        assert told.body["error"].startswith(sentence)
    await backend.finish(
        await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": "Quiet", "settings": {"dms": False}})
    )
    told = await ann.call("POST", "v3/createRoom", chat_as_element_starts_it(bob.matrix_id))
    assert (told.status, told.body["error"]) == (403, "Direct chats are switched off in your organisation.")
    assert await direct_rooms(ann) == {}
