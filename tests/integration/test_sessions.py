"""Sessions: a signed token of BitNexus becomes a Matrix session that a stock client works with."""

import time
from typing import Any

import jwt
import nio
import pytest

from tests.support.backend import Backend, member_id


async def test_matrix_nio_works_with_a_session(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    person = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await person.rooms())["general"]
    client = nio.AsyncClient(person.session["homeserver_url"], person.matrix_id)
    client.restore_login(person.matrix_id, person.session["device_id"], person.session["access_token"])
    try:
        synced = await client.sync(timeout=0, full_state=True)
        assert isinstance(synced, nio.SyncResponse)
        assert general in synced.rooms.join
        sent = await client.room_send(general, "m.room.message", {"msgtype": "m.text", "body": "from nio"})
        assert isinstance(sent, nio.RoomSendResponse)
        page = await client.room_messages(general, start=None, direction=nio.MessageDirection.back)
        assert isinstance(page, nio.RoomMessagesResponse)
        assert any(getattr(event, "body", "") == "from nio" for event in page.chunk)
    finally:
        await client.close()


async def test_a_session_names_the_person_and_their_tenants(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="guest")
    user_id = member_id(tenant_id, "bob")
    session = (await backend.sign_in(user_id)).session
    assert session["user_id"] == user_id
    assert session["matrix_id"].startswith("@u_")
    assert user_id not in session["matrix_id"]
    assert [(t["tenant_id"], t["role"]) for t in session["tenants"]] == [(tenant_id, "guest")]
    assert session["tenants"][0]["space_id"].startswith("!")
    assert session["session_token"].startswith("bxs_")
    assert 0 < session["expires_in"] <= 600


async def test_a_token_opens_one_session(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    token = backend.token_for(member_id(tenant_id, "bob"))
    await backend.ok("POST", "/v1/sessions", {"token": token}, token=None)
    again = await backend.call("POST", "/v1/sessions", {"token": token}, token=None)
    assert (again.status, again.body["errcode"]) == (401, "M_UNKNOWN_TOKEN")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody-else"},
        {"aud": "another-audience"},
        {"exp": int(time.time()) - 60},
        {"exp": int(time.time()) + 3600},
        {"exp": None},
        {"jti": None},
        {"sub": None},
        {"sub": "Not An Id"},
        {"sub": "@bitnexus:bitnexus.localhost"},
        {"sub": 42},
    ],
    ids=str,
)
async def test_row_2_a_token_that_is_not_right_is_401(backend: Backend, changes: dict[str, Any]) -> None:
    reply = await backend.call("POST", "/v1/sessions", {"token": backend.token_for("anna", **changes)}, token=None)
    assert (reply.status, reply.body["errcode"]) == (401, "M_UNKNOWN_TOKEN")


async def test_row_2_a_token_signed_by_somebody_else_is_401(backend: Backend) -> None:
    claims = jwt.decode(backend.token_for("anna"), options={"verify_signature": False})
    for forged in (
        jwt.encode(claims, "another-secret-that-is-long-enough", algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        "not.a.token",
        "",
    ):
        reply = await backend.call("POST", "/v1/sessions", {"token": forged}, token=None)
        assert reply.status in {400, 401}, forged
        assert "traceback" not in reply.raw.decode().lower()


async def test_a_person_without_a_tenant_gets_no_session(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    user_id = member_id(tenant_id, "bob")
    await backend.finish(await backend.ok("DELETE", f"/v1/tenants/{tenant_id}/members/{user_id}"))
    unknown = await backend.call("POST", "/v1/sessions", {"token": backend.token_for("nobody-at-all")}, token=None)
    removed = await backend.call("POST", "/v1/sessions", {"token": backend.token_for(user_id)}, token=None)
    assert (removed.status, removed.body["errcode"]) == (403, "M_FORBIDDEN")
    assert unknown.body == removed.body


async def test_row_13_a_suspended_person_gets_no_session_by_any_way(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    user_id = member_id(tenant_id, "bob")
    person = await backend.sign_in(user_id)
    await backend.ok("PUT", f"/v1/users/{user_id}", {"status": "suspended"})
    refused = await backend.call("POST", "/v1/sessions", {"token": backend.token_for(user_id)}, token=None)
    assert refused.status == 403
    # the session of before is void, too
    old = await backend.call("POST", f"/v1/tenants/{tenant_id}/ai-rooms", token=person.session["session_token"])
    assert old.status == 401


async def test_signing_out_ends_the_matrix_session_too(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    person = await backend.sign_in(member_id(tenant_id, "bob"))
    token = person.session["session_token"]
    assert (await backend.call("DELETE", "/v1/sessions", token=token)).status == 204
    assert (await backend.call("DELETE", "/v1/sessions", token=token)).status == 401
    assert (await person.call("GET", "v3/joined_rooms")).status == 401


async def test_a_session_takes_up_its_device_again(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    user_id = member_id(tenant_id, "bob")
    first = (await backend.sign_in(user_id)).session
    body = {"token": backend.token_for(user_id), "device_id": first["device_id"]}
    second = await backend.ok("POST", "/v1/sessions", body, token=None)
    assert second["device_id"] == first["device_id"]
    assert second["access_token"] != first["access_token"]


async def test_other_origins_may_call_only_where_a_tenant_allows_them(backend: Backend) -> None:
    origin = backend.stack["chat_url"].rstrip("/")
    ask = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    allowed = await backend.call("OPTIONS", "/v1/sessions", token=None, headers=ask)
    assert allowed.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    foreign = await backend.call(
        "OPTIONS", "/v1/sessions", token=None, headers=ask | {"Origin": "https://evil.example"}
    )
    assert "Access-Control-Allow-Origin" not in foreign.headers
    # a person of a tenant that allows no origin is not readable from the host page's
    tenant_id = await backend.new_tenant(bob="member")
    token = (await backend.sign_in(member_id(tenant_id, "bob"))).session["session_token"]
    reply = await backend.call("POST", f"/v1/tenants/{tenant_id}/ai-rooms", token=token, headers={"Origin": origin})
    assert reply.status == 200
    assert "Access-Control-Allow-Origin" not in reply.headers
