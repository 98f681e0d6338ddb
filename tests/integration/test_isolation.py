"""No leakage between tenants: everything that a person of one tenant can ask, about everything of another."""

import uuid
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.backend import Backend, Client, Reply, member_id

ABSENT_ROOM = f"!{'A' * 43}"


@pytest.fixture(scope="module")
async def tenants(backend: Backend) -> tuple[Client, Client, str, str]:
    """Two tenants: Bob of the one, Eve of the other; Eve's canary and her room."""
    ours = await backend.new_tenant(ann="owner", bob="member")
    theirs = await backend.new_tenant(eve="owner", mal="member")
    bob, eve = [
        await backend.sign_in(member_id(tenant_id, name)) for tenant_id, name in ((ours, "bob"), (theirs, "eve"))
    ]
    room_id = (await eve.rooms())["general"]
    canary = f"canary-{uuid.uuid4().hex}"
    await eve.say(room_id, canary)
    await eve.ok("PUT", f"v3/profile/{quote(eve.matrix_id)}/displayname", {"displayname": canary})
    return bob, eve, room_id, canary


READS = [
    "v3/rooms/{room}/state",
    "v3/rooms/{room}/state/m.room.name/",
    "v3/rooms/{room}/members",
    "v3/rooms/{room}/joined_members",
    "v3/rooms/{room}/messages?dir=b",
    "v3/rooms/{room}/context/%24event",
    "v3/rooms/{room}/event/%24event",
    "v1/rooms/{room}/hierarchy",
    "v1/rooms/{room}/threads",
    "v1/rooms/{room}/relations/%24event",
    "v3/rooms/{room}/aliases",
    "v3/rooms/{room}/initialSync",
]
SUMMARIES = ["v1/room_summary/{room}", "unstable/im.nheko.summary/rooms/{room}/summary"]


@pytest.mark.parametrize("path", READS)
async def test_row_15_a_foreign_room_answers_like_an_absent_one(
    tenants: tuple[Client, Client, str, str], path: str
) -> None:
    bob, _, room_id, canary = tenants
    foreign = await bob.call("GET", path.replace("{room}", quote(room_id)))
    absent = await bob.call("GET", path.replace("{room}", quote(ABSENT_ROOM)))
    assert foreign.status in {403, 404}
    assert canary not in foreign.raw.decode()
    assert _without_ids(foreign, room_id) == _without_ids(absent, ABSENT_ROOM)


@pytest.mark.parametrize("path", SUMMARIES)
async def test_a_summary_of_a_foreign_room_says_nothing_of_it(
    tenants: tuple[Client, Client, str, str], path: str
) -> None:
    """An id that nobody has gets another sentence: no module can mend that, and docs/security.md says so."""
    bob, _, room_id, canary = tenants
    foreign = await bob.call("GET", path.replace("{room}", quote(room_id)))
    assert (foreign.status, foreign.body.keys()) == (404, {"errcode", "error"})
    assert canary not in foreign.raw.decode()
    assert "General" not in foreign.raw.decode()


def _without_ids(reply: Reply, room_id: str) -> tuple[int, str]:
    return reply.status, reply.raw.decode().replace(room_id, "ROOM")


async def test_row_16_nothing_can_be_written_into_a_foreign_room(tenants: tuple[Client, Client, str, str]) -> None:
    bob, eve, room_id, _ = tenants
    event_id = (await eve.messages(room_id))[-1]["event_id"]
    room, event = quote(room_id), quote(event_id)
    reaction = {"rel_type": "m.annotation", "event_id": event_id, "key": "x"}
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"v3/rooms/{room}/send/m.room.message/x1", {"msgtype": "m.text", "body": "in"}),
        ("PUT", f"v3/rooms/{room}/send/m.reaction/x2", {"m.relates_to": reaction}),
        ("PUT", f"v3/rooms/{room}/redact/{event}/x3", {}),
        ("POST", f"v3/rooms/{room}/receipt/m.read/{event}", {}),
        ("POST", f"v3/rooms/{room}/read_markers", {"m.fully_read": event_id, "m.read": event_id}),
        ("PUT", f"v3/rooms/{room}/typing/{quote(bob.matrix_id)}", {"typing": True, "timeout": 1000}),
        ("POST", f"v3/rooms/{room}/join", {}),
        ("POST", f"v3/join/{room}", {}),
        ("POST", f"v3/knock/{room}", {}),
        ("POST", f"v3/rooms/{room}/invite", {"user_id": bob.matrix_id}),
        ("POST", f"v3/rooms/{room}/upgrade", {"new_version": "12"}),
        ("POST", f"v3/rooms/{room}/report/{event}", {"reason": "x", "score": 0}),
    ]
    for method, path, body in writes:
        reply = await bob.call(method, path, body)
        assert reply.status in {400, 403, 404}, (method, path, reply.raw)
    members = await eve.ok("GET", f"v3/rooms/{room}/members")
    assert bob.matrix_id not in {event["state_key"] for event in members["chunk"]}


async def test_people_of_other_tenants_cannot_be_invited_or_found(tenants: tuple[Client, Client, str, str]) -> None:
    bob, eve, _, canary = tenants
    own_room = (await bob.rooms())["general"]
    assert (await bob.call("POST", f"v3/rooms/{quote(own_room)}/invite", {"user_id": eve.matrix_id})).status == 403
    found = await bob.ok("POST", "v3/user_directory/search", {"search_term": canary})
    assert found["results"] == []
    foreign = await bob.call("GET", f"v3/profile/{quote(eve.matrix_id)}")
    absent = await bob.call("GET", "v3/profile/%40u_nobody%3Abitnexus.localhost")
    assert foreign.status in {403, 404}
    assert (foreign.status, foreign.raw) == (absent.status, absent.raw)
    assert (await bob.call("GET", f"v3/presence/{quote(eve.matrix_id)}/status")).status in {403, 404}


async def test_row_40_people_cannot_create_rooms_in_any_way(tenants: tuple[Client, Client, str, str]) -> None:
    bob, eve, _, _ = tenants
    own_room = (await bob.rooms())["general"]
    for body in (
        {},
        {"preset": "trusted_private_chat", "is_direct": True, "invite": [eve.matrix_id]},
        {"visibility": "public", "room_alias_name": f"x{uuid.uuid4().hex}"},
        {"creation_content": {"type": "m.space"}},
    ):
        reply = await bob.call("POST", "v3/createRoom", body)
        assert (reply.status, reply.body["errcode"]) == (403, "M_FORBIDDEN")
    assert (await bob.call("POST", f"v3/rooms/{quote(own_room)}/upgrade", {"new_version": "12"})).status == 403


async def test_encryption_cannot_be_switched_on(tenants: tuple[Client, Client, str, str]) -> None:
    _, eve, room_id, _ = tenants
    content = {"algorithm": "m.megolm.v1.aes-sha2"}
    assert (await eve.call("PUT", f"v3/rooms/{quote(room_id)}/state/m.room.encryption/", content)).status == 403


async def test_the_canary_is_nowhere_in_what_another_tenant_syncs(tenants: tuple[Client, Client, str, str]) -> None:
    bob, eve, room_id, canary = tenants
    everything = (await bob.call("GET", "v3/sync", timeout="0", full_state="true")).raw.decode()
    assert canary not in everything
    assert room_id not in everything
    # the search is not blind: its owner finds it
    assert canary in (await eve.call("GET", "v3/sync", timeout="0", full_state="true")).raw.decode()


async def test_row_24_every_answer_forbids_caching(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    for method, path, token in (
        ("GET", "/v1/tenants", "platform"),
        ("GET", f"/v1/tenants/{tenant_id}/members", "platform"),
        ("GET", "/v1/deliveries/x", key),
        ("GET", "/v1/tenants", None),
        ("GET", "/v1/nothing", "platform"),
    ):
        assert (await backend.call(method, path, token=token)).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("bad", ["Ö", "a b", "..", "A", "a%2Fb", "%00", "x" * 65, "a%0Ab", "@space", "*"])
async def test_row_4_ids_outside_the_grammar_are_refused(backend: Backend, bad: str) -> None:
    for method, path in (("GET", f"/v1/tenants/{bad}"), ("GET", f"/v1/tenants/{bad}/plan")):
        reply = await backend.call(method, path)
        assert reply.status in {400, 404}, (path, reply.raw)
        assert set(reply.body) >= {"errcode", "error"}
