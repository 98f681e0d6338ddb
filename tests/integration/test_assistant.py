"""NexusHub in a person's own room, answered by the real local model, streaming by edits of one message."""

import uuid
from typing import Any

from tests.support.backend import Backend, Client, member_id
from tests.support.waiting import until


async def ai_room(backend: Backend, person: Client, tenant_id: str) -> str:
    """Open the person's room with the assistant and return its id."""
    token = person.session["session_token"]
    path = f"/v1/tenants/{tenant_id}/ai-rooms"
    answer = await until(lambda: backend.ok("POST", path, token=token), lambda answer: answer["room_id"] is not None)
    await backend.settle(tenant_id)
    return str(answer["room_id"])


def answers(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from_bot = [event for event in events if event["sender"].startswith("@bitnexus_nexushub:")]
    return [event for event in from_bot if event["type"] == "m.room.message"]


async def finished(person: Client, room_id: str) -> list[dict[str, Any]]:
    """Wait for the end of an answer and return its message and edits."""

    async def look() -> list[dict[str, Any]]:
        return answers(await person.messages(room_id))

    def is_over(events: list[dict[str, Any]]) -> bool:
        contents = [event["content"].get("m.new_content", event["content"]) for event in events]
        return any(content["com.bitnexus.ai"]["state"] in {"done", "failed"} for content in contents)

    return await until(look, is_over, seconds=120)


async def test_an_answer_streams_in_as_edits_of_one_message(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    room_id = await ai_room(backend, bob, tenant_id)
    await bob.say(room_id, "Write six sentences about the sea, please.")
    first, *edits = await finished(bob, room_id)
    assert first["content"]["msgtype"] == "m.text"
    assert first["content"]["body"].strip()
    assert first["content"]["com.bitnexus.ai"]["state"] == "streaming"
    assert 1 <= len(edits) <= 40
    assert {edit["content"]["m.relates_to"]["event_id"] for edit in edits} == {first["event_id"]}
    last = edits[-1]["content"]["m.new_content"]
    assert last["com.bitnexus.ai"]["state"] == "done"
    assert last["body"].startswith(first["content"]["body"][:20])
    assert len(last["body"]) > len(first["content"]["body"])


async def test_the_room_is_the_persons_own_and_stands_once(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    ann, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "bob")]
    room_id = await ai_room(backend, bob, tenant_id)
    assert await ai_room(backend, bob, tenant_id) == room_id
    assert await ai_room(backend, ann, tenant_id) != room_id
    name = await bob.ok("GET", f"v3/rooms/{room_id}/state/m.room.name/")
    assert name["name"] == "NexusHub"
    people = (await bob.ok("GET", f"v3/rooms/{room_id}/joined_members"))["joined"]
    server = backend.stack["server_name"]
    bots = {f"@bitnexus:{server}", f"@bitnexus_keeper:{server}", f"@bitnexus_nexushub:{server}"}
    assert set(people) == {bob.matrix_id} | bots
    # the tenant's owner neither sees it in the space nor gets in
    assert (await ann.call("POST", f"v3/rooms/{room_id}/join", {})).status == 403
    space = (await ann.rooms())["@space"]
    children = [e["state_key"] for e in await ann.ok("GET", f"v3/rooms/{space}/state") if e["type"] == "m.space.child"]
    assert room_id not in children


async def test_a_foreign_tenants_assistant_is_absent(backend: Backend) -> None:
    own, other = await backend.new_tenant(bob="member"), await backend.new_tenant(eve="member")
    token = (await backend.sign_in(member_id(own, "bob"))).session["session_token"]
    foreign = await backend.call("POST", f"/v1/tenants/{other}/ai-rooms", token=token)
    absent = await backend.call("POST", "/v1/tenants/no-such-tenant/ai-rooms", token=token)
    assert (foreign.status, foreign.raw) == (404, absent.raw)


async def test_a_tenant_can_switch_the_assistant_off(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    body = {"name": "Without", "settings": {"ai": {"enabled": False}}}
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", body))
    token = (await backend.sign_in(member_id(tenant_id, "bob"))).session["session_token"]
    assert (await backend.call("POST", f"/v1/tenants/{tenant_id}/ai-rooms", token=token)).status == 403


async def test_in_a_room_of_several_people_it_answers_who_mentions_it(backend: Backend) -> None:
    rooms = [{"key": "ask", "type": "ai", "name": "Ask NexusHub"}]
    tenant_id = await backend.new_tenant(rooms=rooms, ann="owner", bob="member")
    key = await backend.integration_key(tenant_id)
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    room_id = (await bob.rooms())["ask"]
    await bob.say(room_id, "This is for Ann alone.")
    assistant = f"@bitnexus_nexushub:{backend.stack['server_name']}"
    content = {"msgtype": "m.text", "body": "NexusHub: say hello", "m.mentions": {"user_ids": [assistant]}}
    await bob.ok("PUT", f"v3/rooms/{room_id}/send/m.room.message/{uuid.uuid4().hex}", content)
    first, *edits = await finished(bob, room_id)
    assert {edit["content"]["m.relates_to"]["event_id"] for edit in edits} <= {first["event_id"]}
    event = {"type": "alert", "id": "1", "to": [{"room": "ask"}], "title": "For everybody"}
    assert (await backend.call("POST", "/v1/events", event, token=key)).status == 202
    await until(
        lambda: bob.messages(room_id),
        lambda events: any("com.bitnexus.delivery_id" in event["content"] for event in events),
    )
    # what was not for it has got no answer by now
    runs = {event["content"].get("com.bitnexus.ai", {}).get("run_id") for event in answers(await bob.messages(room_id))}
    assert len(runs - {None}) == 1
