"""Events of the business: stored before they are acknowledged, shown once, in the right room, by the relay bot."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.backend import Backend, Client, member_id
from tests.support.waiting import until

EVENT = {
    "type": "academy.course.completed",
    "id": "exec-1/0",
    "to": [{"room": "general"}],
    "title": "Bob completed Introduction to Robotics",
    "body": "Score **97 %**, see [the course](https://academy.example/1)",
    "data": {"course": "robotics-1", "score": 97.5, "big": 2**60},
}


async def send(backend: Backend, key: str, event: object = EVENT, **how: Any) -> Any:
    return await backend.call("POST", "/v1/events", event, token=key, **how)


async def relayed(client: Client, room_id: str) -> list[dict[str, Any]]:
    messages = [event for event in await client.messages(room_id) if event["type"] == "m.room.message"]
    return [message for message in messages if message["sender"].startswith("@bitnexus_relay:")]


async def delivered(backend: Backend, key: str, reply: Any) -> Any:
    """Wait until the reply's first delivery has left the outbox."""
    path = f"/v1/deliveries/{reply.body['deliveries'][0]['delivery_id']}"
    return await until(lambda: backend.ok("GET", path, token=key), lambda delivery: delivery["state"] != "queued")


async def test_an_event_appears_once_however_often_it_is_sent(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    replies = await asyncio.gather(*(send(backend, key) for _ in range(10)))
    assert {reply.status for reply in replies} == {202}
    assert len({reply.raw for reply in replies}) == 1
    delivery = await delivered(backend, key, replies[0])
    assert delivery["state"] == "delivered"
    shown = await relayed(bob, general)
    assert [event["event_id"] for event in shown] == [delivery["event_id"]]
    content = shown[0]["content"]
    assert EVENT["title"] in content["body"]
    assert "Score **97 %**" in content["body"]
    assert "<strong>97 %</strong>" in content["formatted_body"]
    assert content["com.bitnexus.delivery_id"] == delivery["delivery_id"]
    assert content["com.bitnexus.event"] == {"type": EVENT["type"], "severity": "info"}
    assert content["m.mentions"] == {}
    assert content["msgtype"] == "m.notice"


async def test_events_of_one_room_keep_their_order(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    for number in range(30):
        assert (await send(backend, key, EVENT | {"id": f"n{number}", "title": f"Number {number:02}"})).status == 202
    shown = await until(lambda: relayed(bob, general), lambda seen: len(seen) == 30)
    titles = [event["content"]["body"].splitlines()[0][-2:] for event in shown]
    assert titles == [f"{number:02}" for number in range(30)]


async def test_another_body_under_the_same_id_is_refused(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    assert (await send(backend, key)).status == 202
    reply = await send(backend, key, EVENT | {"title": "Something else"})
    assert (reply.status, reply.body["errcode"]) == (422, "M_DUPLICATE_KEY")


@pytest.mark.parametrize("header", ["webhook-id", "Idempotency-Key"])
async def test_the_id_may_stand_in_a_header(backend: Backend, header: str) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    event = {name: value for name, value in EVENT.items() if name != "id"}
    missing = await send(backend, key, event)
    assert (missing.status, missing.body["path"]) == (400, "$.id")
    replies = [await send(backend, key, event, headers={header: "k1"}) for _ in range(2)]
    assert replies[0].status == 202
    assert replies[0].raw == replies[1].raw


async def test_a_dry_run_shows_and_sends_nothing(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    shown = await backend.ok("POST", "/v1/events?dry_run=true", EVENT, token=key)
    assert EVENT["title"] in shown["rendered"][0]["content"]["body"]
    # what comes behind it in the room's lane is the first that appears
    await delivered(backend, key, await send(backend, key, EVENT | {"id": "after"}))
    assert len(await relayed(bob, general)) == 1


async def test_mentions_name_people_of_the_tenant_alone(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    event = EVENT | {"mentions": [member_id(tenant_id, "bob")]}
    shown = await backend.ok("POST", "/v1/events?dry_run=true", event, token=key)
    assert shown["rendered"][0]["content"]["m.mentions"] == {"user_ids": [bob.matrix_id]}
    foreign = await send(backend, key, EVENT | {"mentions": ["anna"]})
    assert (foreign.status, foreign.body["path"]) == (404, "$.mentions[0]")


async def test_row_10_and_15_a_key_reaches_its_own_tenants_rooms_alone(backend: Backend) -> None:
    own, other = await backend.new_tenant(bob="member"), await backend.new_tenant(
        rooms=[{"key": "secret", "type": "general", "name": "Secret"}], eve="member"
    )  # fmt: skip
    key = await backend.integration_key(own)
    foreign = await send(backend, key, EVENT | {"to": [{"room": "secret"}]})
    absent = await send(backend, key, EVENT | {"to": [{"room": "absent"}]})
    assert (foreign.status, absent.status) == (404, 404)
    assert foreign.raw.replace(b"secret", b"absent") == absent.raw
    # a delivery of another tenant is as absent as one that never was
    other_key = await backend.integration_key(other)
    reply = await send(backend, other_key, EVENT | {"to": [{"room": "secret"}]})
    delivery_id = reply.body["deliveries"][0]["delivery_id"]
    stolen = await backend.call("GET", f"/v1/deliveries/{delivery_id}", token=key)
    nothing = await backend.call("GET", "/v1/deliveries/dlv_nothing", token=key)
    assert (stolen.status, stolen.raw) == (404, nothing.raw)


async def test_row_27_a_key_reaches_exactly_its_rooms_and_scopes(backend: Backend) -> None:
    rooms = [{"key": name, "type": "general", "name": name.title()} for name in ("general", "alerts")]
    tenant_id = await backend.new_tenant(rooms=rooms, bob="member")
    key = await backend.integration_key(tenant_id, rooms=["alerts"])
    assert (await send(backend, key)).status == 404
    assert (await send(backend, key, EVENT | {"to": [{"room": "alerts"}]})).status == 202
    body = {"name": "reader", "scopes": ["deliveries:read"]}
    reader = (await backend.ok("POST", f"/v1/tenants/{tenant_id}/integration-keys", body))["key"]
    assert (await send(backend, reader)).status == 403
    for method, path in (("GET", "/v1/tenants"), ("GET", f"/v1/tenants/{tenant_id}"), ("DELETE", "/v1/sessions")):
        assert (await backend.call(method, path, token=key)).status == 403


async def test_a_revoked_key_is_refused_and_never_shown_again(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    key = await backend.integration_key(tenant_id)
    path = f"/v1/tenants/{tenant_id}/integration-keys"
    listed = (await backend.ok("GET", path))["items"]
    assert len(listed) == 1
    assert key not in json.dumps(listed)
    assert (await backend.call("DELETE", f"{path}/{listed[0]['key_id']}")).status == 204
    assert (await send(backend, key)).status == 401
    assert (await backend.call("DELETE", f"{path}/{listed[0]['key_id']}")).status == 404


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"to": []}, "$.to"),
        ({"to": [{"room": "general"}, {"room": "general"}]}, "$.to[1].room"),
        ({"to": [{"user": "u42"}]}, "$.to[0].user"),
        ({"to": [{"room": "../x"}]}, "$.to[0].room"),
        ({"severity": "loud"}, "$.severity"),
        ({"type": "Academy Course"}, "$.type"),
        ({"title": "", "body": ""}, "$.title"),
        ({"title": "x" * 257}, "$.title"),
        ({"colour": "red"}, "$.colour"),
        ({"title": "a\x00b"}, "$.title"),
        ({"op": "explode"}, "$.op"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_input_is_400_and_names_the_field(backend: Backend, change: dict[str, Any], path: str) -> None:
    key = backend.stack["tenants"][0]["integration_key"]
    reply = await send(backend, key, EVENT | {"id": "bad-input"} | change)
    assert (reply.status, reply.body["path"]) == (400, path)
    assert reply.body["error"]
