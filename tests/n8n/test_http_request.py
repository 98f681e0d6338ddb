"""The product's main line of issue 2: a workflow of a real n8n posts into a tenant's room through the real bridge."""

import secrets
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.n8n.lossy import LossyProxy
from tests.n8n.member import Member, plain_member, signed_in, tenant
from tests.n8n.rig import N8n

# the first test waits for the demo and for n8n to start, on a machine that may be busy
pytestmark = pytest.mark.timeout(600)
Json = dict[str, Any]
RELAY = "@bitnexus_relay"


def course() -> str:
    """Return a course that nobody else completes, so that its messages can be counted."""
    return f"Matrix in depth {secrets.token_hex(4)}"


async def post_fence(demo: Json, tenant_id: str, text: str) -> None:
    """Post straight to the tenant's general room: a lane keeps order, so whatever was queued before comes before."""
    event = {"type": "test.fence", "id": text, "to": [{"room": "general"}], "title": text, "body": text}
    headers = {"Authorization": f"Bearer {tenant(demo, tenant_id)['integration_key']}"}
    async with (
        ClientSession() as session,
        session.post(f"{demo['bridge_url']}/v1/events", json=event, headers=headers) as response,
    ):
        assert response.status == 202, await response.text()


async def messages_about(demo: Json, member: Member, name: str, *, since: str, tenant_id: str = "acme") -> list[Json]:
    """Return the messages that name a course, once a later message has arrived."""
    fence = f"fence {secrets.token_hex(8)}"
    await post_fence(demo, tenant_id, fence)
    messages = await member.messages_until(fence, since=since)
    return [event for event in messages if name in event["content"]["body"]]


async def test_a_workflow_posts_into_the_tenants_room_once(demo: Json, n8n: N8n) -> None:
    name = course()
    async with signed_in(demo, plain_member(demo, "acme")) as member:
        since = await member.position()
        answer = await n8n.call("direct", {"learner": "Mia", "course": name, "score": 93})
        assert answer.status == 200, answer.body
        assert len(answer.body["deliveries"]) == 1
        (message,) = await messages_about(demo, member, name, since=since)
        assert message["room_id"] == await member.room_id("general")
    content = message["content"]
    assert message["sender"] == f"{RELAY}:{demo['server_name']}"
    assert content["msgtype"] == "m.notice"
    assert f"Mia completed {name}" in content["body"]
    assert "<strong>93 %</strong>" in content["formatted_body"]
    assert content["com.bitnexus.event"]["type"] == "academy.course.completed"
    assert content["com.bitnexus.event"]["severity"] == "ok"
    assert content["com.bitnexus.delivery_id"] == answer.body["deliveries"][0]["delivery_id"]


async def test_retry_on_fail_after_a_lost_answer_gives_one_message(demo: Json, n8n: N8n, proxy: LossyProxy) -> None:
    name = course()
    seen = set(proxy.attempts)
    async with signed_in(demo, plain_member(demo, "acme")) as member:
        since = await member.position()
        answer = await n8n.call("lossy", {"learner": "Noor", "course": name, "score": 71})
        assert answer.status == 200, answer.body
        assert len(await messages_about(demo, member, name, since=since)) == 1
    (key,) = set(proxy.attempts) - seen
    assert key.startswith("lossy:"), "the key is made of the workflow and its execution"
    assert proxy.statuses[key] == [202, 202], "n8n tried twice, and the bridge took both"


async def test_two_executions_with_one_business_key_give_one_message(demo: Json, n8n: N8n) -> None:
    name = course()
    body = {"learner": "Mia", "course": name, "score": 88, "completion_id": f"completion-{secrets.token_hex(6)}"}
    async with signed_in(demo, plain_member(demo, "acme")) as member:
        since = await member.position()
        first = await n8n.call("direct", body)
        second = await n8n.call("direct", body)
        assert (first.status, second.status) == (200, 200)
        assert first.body == second.body, "the second answer is the stored one"
        assert len(await messages_about(demo, member, name, since=since)) == 1


async def test_one_key_with_another_body_is_refused_in_words(demo: Json, n8n: N8n) -> None:
    name = course()
    body = {"learner": "Mia", "course": name, "score": 88, "completion_id": f"completion-{secrets.token_hex(6)}"}
    async with signed_in(demo, plain_member(demo, "acme")) as member:
        since = await member.position()
        assert (await n8n.call("direct", body)).status == 200
        assert (await n8n.call("direct", {**body, "score": 12})).status == 500
        (message,) = await messages_about(demo, member, name, since=since)
    assert "88 %" in message["content"]["body"]
    error = (await n8n.failed_execution("direct", about=name))["data"]["resultData"]["error"]
    assert error["httpCode"] == "422"
    assert "another body" in error["description"]


async def test_a_wrong_room_is_named_in_the_execution(demo: Json, n8n: N8n) -> None:
    name = course()
    async with signed_in(demo, plain_member(demo, "acme")) as member:
        since = await member.position()
        answer = await n8n.call("direct", {"learner": "Mia", "course": name, "score": 1, "room": "no-such-room"})
        assert answer.status == 500
        assert await messages_about(demo, member, name, since=since) == []
    error = (await n8n.failed_execution("direct", about=name))["data"]["resultData"]["error"]
    assert error["httpCode"] == "404"
    assert "no-such-room" in error["description"]


async def test_an_unknown_key_is_refused_in_words_that_hide_the_key(demo: Json, n8n: N8n) -> None:
    name = course()
    assert (await n8n.call("unknown-key", {"learner": "Mia", "course": name, "score": 1})).status == 500
    execution = await n8n.failed_execution("unknown-key", about=name)
    error = execution["data"]["resultData"]["error"]
    assert error["httpCode"] == "401"
    assert error["description"].strip()
    assert "bxi_" not in str(execution)


async def test_the_other_tenant_sees_nothing_of_it(demo: Json, n8n: N8n) -> None:
    name = course()
    async with (
        signed_in(demo, plain_member(demo, "acme")) as member,
        signed_in(demo, plain_member(demo, "globex")) as stranger,
    ):
        since, elsewhere = await member.position(), await stranger.position()
        assert (await n8n.call("direct", {"learner": "Mia", "course": name, "score": 64})).status == 200
        assert len(await messages_about(demo, member, name, since=since)) == 1
        assert await messages_about(demo, stranger, name, since=elsewhere, tenant_id="globex") == []
