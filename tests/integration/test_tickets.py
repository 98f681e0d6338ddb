"""Support tickets on a real Synapse: both audiences, both sides, each edge, and nothing of anything else."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from nio import AsyncClient

from tests.support.backend import Backend, Client, Reply, member_id
from tests.support.waiting import until

PEOPLE = {"ann": "owner", "mod": "moderator", "bob": "member", "gus": "guest"}


def path_of(tenant_id: str, ticket_id: str = "") -> str:
    return f"/v1/tenants/{tenant_id}/tickets" + (f"/{ticket_id}" if ticket_id else "")


async def staff(backend: Backend) -> Client:
    """A person of BitNexus's staff, of no tenant."""
    name = f"staff-{uuid.uuid4().hex[:10]}"
    await backend.ok("PUT", f"/v1/users/{name}", {"display_name": "Sam Staff", "super_admin": True})
    return await backend.sign_in(name)


async def dismiss(backend: Backend, person: Client) -> None:
    await backend.ok("PUT", f"/v1/users/{person.session['user_id']}", {"super_admin": False})


def token(client: Client) -> str:
    return str(client.session["session_token"])


async def open_ticket(backend: Backend, asker: Client, tenant_id: str, **more: str) -> dict[str, Any]:
    body = {"subject": "Printer", "body": "It smokes.", **more}
    opened: dict[str, Any] = await backend.ok("POST", path_of(tenant_id), body, token=token(asker))
    await backend.finish(opened)
    return opened


async def room_of(client: Client, opened: dict[str, Any]) -> str:
    rooms = await until(client.rooms, lambda found: opened["room_key"] in found)
    return rooms[opened["room_key"]]


def shows(backend: Backend, client: Client, tenant_id: str, opened: dict[str, Any]) -> Callable[[], Awaitable[Any]]:
    async def look() -> Any:
        return await backend.ok("GET", path_of(tenant_id, opened["ticket_id"]), token=token(client))

    return look


async def bodies(client: Client, room_id: str) -> list[str]:
    events = await client.messages(room_id)
    return [event["content"].get("body", "") for event in events if event["type"] == "m.room.message"]


async def react(client: Client, room_id: str, event_id: str, key: str) -> Reply:
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": key}}
    return await client.call("PUT", f"v3/rooms/{quote(room_id)}/send/m.reaction/{uuid.uuid4().hex}", content)


@pytest.fixture(scope="module")
async def tenant_id(backend: Backend) -> str:
    return await backend.new_tenant(**PEOPLE)


async def person(backend: Backend, tenant_id: str, name: str) -> Client:
    return await backend.sign_in(member_id(tenant_id, name))


async def test_a_ticket_to_the_team_goes_back_and_forth_and_is_rated(backend: Backend, tenant_id: str) -> None:
    bob, mod = [await person(backend, tenant_id, name) for name in ("bob", "mod")]
    opened = await open_ticket(backend, bob, tenant_id)
    room_id = await room_of(bob, opened)
    assert await room_of(mod, opened) == room_id
    first = await until(lambda: bodies(mod, room_id), bool)
    assert first == ["Bob:\nIt smokes."]
    look = shows(backend, mod, tenant_id, opened)
    assert (await until(look, lambda seen: seen["unread"] == 1))["status"] == "open"

    # a real client answers
    nio = AsyncClient(str(mod.session["homeserver_url"]), mod.matrix_id)
    nio.restore_login(mod.matrix_id, str(mod.session["device_id"]), str(mod.session["access_token"]))
    try:
        await nio.sync(timeout=0, full_state=True)
        await nio.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": "Which one?"})
    finally:
        await nio.close()
    seen = await until(look, lambda found: found["status"] == "waiting")
    assert seen["first_reply_seconds"] is not None
    assert seen["unread"] == 0, "who answers has read"
    assert (await shows(backend, bob, tenant_id, opened)())["unread"] == 2
    await bob.say(room_id, "The red one.")
    await until(look, lambda found: found["status"] == "open")

    path = path_of(tenant_id, opened["ticket_id"])
    assigned = await backend.ok("PATCH", path, {"assignee": member_id(tenant_id, "mod")}, token=token(mod))
    assert assigned["assignee"] == member_id(tenant_id, "mod")
    early = await backend.call("PATCH", path, {"satisfaction": 5}, token=token(bob))
    assert early.status == 409
    closed = await backend.ok("PATCH", path, {"status": "closed"}, token=token(mod))
    await backend.finish(closed)
    words = {"msgtype": "m.text", "body": "One more thing"}
    send = f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}"
    assert (await bob.call("PUT", send, words)).status == 403
    question = await until(lambda: _question(bob, room_id), lambda found: found is not None)
    assert question is not None
    assert (await react(mod, room_id, question, "1️⃣")).status == 200, "reactions are sent, and the team's count nothing"
    assert (await react(bob, room_id, question, "4️⃣")).status == 200
    rated = await until(look, lambda found: found["satisfaction"] is not None)
    assert (rated["satisfaction"], rated["status"]) == (4, "closed")
    assert rated["resolution_seconds"] is not None

    assert (await react(bob, room_id, question, "❌")).status == 200
    again = await until(look, lambda found: found["status"] == "open")
    assert (again["reopened"], again["satisfaction"]) == (1, None)
    await backend.settle(tenant_id)
    await bob.say(room_id, "It smokes again.")


async def _question(client: Client, room_id: str) -> str | None:
    asked = [e for e in await client.messages(room_id) if "How was it?" in e["content"].get("body", "")]
    return asked[-1]["event_id"] if asked else None


async def test_a_ticket_to_bitnexus_shows_its_staff_that_ticket_and_nothing_else(
    backend: Backend, tenant_id: str
) -> None:
    sam, bob, ann = await staff(backend), *[await person(backend, tenant_id, name) for name in ("bob", "ann")]
    opened = await open_ticket(backend, bob, tenant_id, audience="bitnexus")
    room_id = await room_of(bob, opened)
    assert await room_of(sam, opened) == room_id
    assert (await until(lambda: bodies(sam, room_id), bool)) == ["Bob:\nIt smokes."]
    assert (await sam.rooms()).keys() & {"@space", "general"} == set()
    assert opened["room_key"] not in await ann.rooms(), "the tenant's own people are not asked"
    ticket = path_of(tenant_id, opened["ticket_id"])
    absent = await backend.call("GET", path_of(tenant_id, "0" * 24), token=token(ann))
    foreign = await backend.call("GET", ticket, token=token(ann))
    assert (foreign.status, foreign.raw) == (404, absent.raw)
    for key, other in (await bob.rooms()).items():
        if key != opened["room_key"]:
            for what in ("state", "messages?dir=b", "joined_members"):
                assert (await sam.call("GET", f"v3/rooms/{quote(other)}/{what}")).status in {403, 404}, key
    levels = await sam.ok("GET", f"v3/rooms/{quote(room_id)}/state/m.room.power_levels/")
    assert sam.matrix_id not in levels["users"]
    queue = (await _queue(backend, sam))[opened["ticket_id"]]
    assert (queue["tenant_id"], queue["subject"], queue["unread"]) == (tenant_id, "Printer", 1)
    assert (await backend.call("GET", "/v1/tickets", token=token(ann))).status == 403
    assert (await backend.call("GET", path_of(tenant_id), token=token(sam))).status == 404

    await sam.say(room_id, "We look into it.")
    look = shows(backend, sam, tenant_id, opened)
    await until(look, lambda found: found["status"] == "waiting")
    # who comes to the staff comes into its tickets, who goes is out of them
    new = await staff(backend)
    assert await room_of(new, opened) == room_id
    await dismiss(backend, sam)
    kept = await until(lambda: _members(bob, room_id), lambda found: sam.matrix_id not in found)
    assert {bob.matrix_id, new.matrix_id} <= kept

    # handed over to the tenant's own team, the staff is out
    await backend.finish(await backend.ok("PATCH", ticket, {"audience": "team"}, token=token(new)))
    members = await _members(bob, room_id)
    assert new.matrix_id not in members
    assert ann.matrix_id in members
    assert (await new.call("GET", f"v3/rooms/{quote(room_id)}/messages?dir=b&limit=1")).status in {200, 403}
    refused = await new.call(
        "PUT", f"v3/rooms/{quote(room_id)}/send/m.room.message/late", {"msgtype": "m.text", "body": "x"}
    )
    assert refused.status == 403
    assert (await backend.call("GET", ticket, token=token(new))).status == 404
    await dismiss(backend, new)


async def _members(client: Client, room_id: str) -> set[str]:
    return set((await client.ok("GET", f"v3/rooms/{quote(room_id)}/joined_members"))["joined"])


async def _queue(backend: Backend, asker: Client) -> dict[str, Any]:
    found: dict[str, Any] = {}
    after = ""
    while True:
        page = await backend.ok("GET", f"/v1/tickets?limit=50{after}", token=token(asker))
        found |= {item["ticket_id"]: item for item in page["items"]}
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


async def test_another_tenants_people_see_nothing_at_all(backend: Backend, tenant_id: str) -> None:
    bob = await person(backend, tenant_id, "bob")
    other = await backend.new_tenant(eve="owner")
    eve = await person(backend, other, "eve")
    opened = await open_ticket(backend, bob, tenant_id)
    room_id = await room_of(bob, opened)
    asks: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", path_of(tenant_id, opened["ticket_id"]), None),
        ("PATCH", path_of(tenant_id, opened["ticket_id"]), {"status": "closed"}),
        ("PATCH", path_of(other, opened["ticket_id"]), {"status": "closed"}),
    ]
    for method, path, body in asks:
        foreign = await backend.call(method, path, body, token=token(eve))
        absent = await backend.call(method, path_of(other, "0" * 24), body, token=token(eve))
        assert (foreign.status, foreign.raw) == (404, absent.raw), (method, path)
    for method, path in (("GET", path_of(tenant_id)), ("GET", path_of(tenant_id) + "/figures")):
        assert (await backend.call(method, path, token=token(eve))).status == 404
    opening = await backend.call("POST", path_of(tenant_id), {"subject": "x", "body": "y"}, token=token(eve))
    assert opening.status == 404
    key = await backend.integration_key(other)
    body = {"subject": "x", "body": "y", "user_id": member_id(tenant_id, "bob"), "id": "1"}
    for where in (tenant_id, other):
        assert (await backend.call("POST", path_of(where), body, token=key)).status == 404
    for what in ("state", "messages?dir=b", "joined_members", "state/m.room.name/"):
        assert (await eve.call("GET", f"v3/rooms/{quote(room_id)}/{what}")).status in {403, 404}


async def test_an_integration_opens_a_ticket_once(backend: Backend, tenant_id: str) -> None:
    key = await backend.integration_key(tenant_id, rooms=["general"])
    body = {"subject": "Invoice", "body": "It is late.", "user_id": member_id(tenant_id, "gus"), "id": "exec-1"}
    replies = await asyncio.gather(*(backend.ok("POST", path_of(tenant_id), body, token=key) for _ in range(5)))
    assert len({reply["ticket_id"] for reply in replies}) == 1
    assert len({reply["number"] for reply in replies}) == 1
    await backend.settle(tenant_id)
    gus = await person(backend, tenant_id, "gus")
    room_id = await room_of(gus, replies[0])
    assert await until(lambda: bodies(gus, room_id), bool) == ["Gus:\nIt is late."]
    other = await backend.call("POST", path_of(tenant_id), body | {"body": "Another"}, token=key)
    assert other.status == 422
    nameless = await backend.call("POST", path_of(tenant_id), {"subject": "x", "body": "y"}, token=key)
    assert (nameless.status, nameless.body["path"]) == (400, "$.user_id")


async def test_moderators_come_and_go_and_leavers_leave_their_tickets(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(**PEOPLE)
    bob, mod = [await backend.look_as(member_id(tenant_id, name)) for name in ("bob", "mod")]
    opened = await open_ticket(backend, bob, tenant_id)
    room_id = await room_of(mod, opened)
    path = path_of(tenant_id, opened["ticket_id"])
    await backend.ok("PATCH", path, {"assignee": member_id(tenant_id, "mod")}, token=token(mod))
    await backend.finish(await backend.put_member(tenant_id, "mod", "member"))
    await backend.finish(await backend.put_member(tenant_id, "new", "moderator"))
    await backend.settle(tenant_id)
    new = await person(backend, tenant_id, "new")
    members = await _members(new, room_id)
    assert (mod.matrix_id in members, new.matrix_id in members) == (False, True)
    look = shows(backend, new, tenant_id, opened)
    assert (await look())["assignee"] is None
    # the opener leaves, and the ticket stays with the team; they come back to it
    member = f"/v1/tenants/{tenant_id}/members/{member_id(tenant_id, 'bob')}"
    await backend.finish(await backend.ok("DELETE", member))
    assert bob.matrix_id not in await _members(new, room_id)
    await backend.finish(await backend.put_member(tenant_id, "bob", "member"))
    await backend.settle(tenant_id)
    assert bob.matrix_id in await _members(new, room_id)
    # erased, their words are gone, and the figures stay
    await backend.ok("DELETE", f"/v1/users/{member_id(tenant_id, 'bob')}")
    await until(look, lambda found: found["subject"] == "")
    ann = await person(backend, tenant_id, "ann")
    figures = await backend.ok("GET", path_of(tenant_id) + "/figures?days=1", token=token(ann))
    assert figures["opened"] == 1
    refused = await backend.call("GET", path_of(tenant_id) + "/figures", token=token(new))
    assert refused.status == 403
