"""What Synapse calls: stored before it is acknowledged, once, whatever it holds; by the token in the header alone."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from ruamel.yaml import YAML
from yarl import URL

from tests.support.backend import Backend, member_id
from tests.support.waiting import until


class Synapse:
    """Somebody who sends transactions as Synapse does."""

    def __init__(self, backend: Backend) -> None:
        registration = YAML(typ="safe").load(Path(backend.stack["registration"]))
        self.http, self.url, self.token = backend.http, registration["url"], registration["hs_token"]

    async def put(self, body: object, *, txn_id: str | None = None, token: str | None = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        url = f"{self.url}/_matrix/app/v1/transactions/{txn_id or uuid.uuid4().hex}"
        async with self.http.put(url, data=data, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture
def synapse(backend: Backend) -> Synapse:
    return Synapse(backend)


@pytest.fixture
async def rows(backend: Backend) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(backend.stack["postgres_dsn"])
    yield connection
    await connection.close()


def message(room_id: str, sender: str, body: str, **changes: object) -> dict[str, object]:
    return {
        "type": "m.room.message", "event_id": f"${uuid.uuid4().hex}", "room_id": room_id, "sender": sender,
        "origin_server_ts": 1, "content": {"msgtype": "m.text", "body": body},
    } | changes  # fmt: skip


@pytest.mark.parametrize("token", ["wrong", "x" * 5000, "ö"])
async def test_a_wrong_token_is_refused(synapse: Synapse, token: str) -> None:
    status, body = await synapse.put({"events": []}, token=token)
    assert (status, body["errcode"]) == (401, "M_UNKNOWN_TOKEN")


async def test_a_token_that_is_no_text_is_refused(synapse: Synapse) -> None:
    address = URL(synapse.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(
        b"POST /_matrix/app/v1/ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    )
    status = await reader.readline()
    writer.close()
    assert status.split()[1] == b"401"


async def test_a_token_in_the_query_is_not_looked_at(synapse: Synapse) -> None:
    for path in ("/_matrix/app/v1/transactions/1", "/transactions/1"):
        url = f"{synapse.url}{path}?access_token={synapse.token}"
        async with synapse.http.put(url, json={"events": []}) as response:
            assert response.status in {401, 404}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"null", b"[" * 100_000, b"\xff\xfe"])
async def test_what_is_no_object_is_400(synapse: Synapse, body: bytes) -> None:
    status, answer = await synapse.put(body)
    assert (status, answer["errcode"]) == (400, "M_NOT_JSON")


async def test_thirty_three_mebibytes_are_413_and_thirty_one_are_taken(synapse: Synapse) -> None:
    status, answer = await synapse.put(b'{"events":[],"x":"' + b"a" * (33 * 2**20) + b'"}')
    assert (status, answer["errcode"]) == (413, "M_TOO_LARGE")
    status, _ = await synapse.put(b'{"events":[],"x":"' + b"a" * (31 * 2**20) + b'"}')
    assert status == 200


async def test_an_event_counts_once_in_whatever_transaction_it_comes(
    synapse: Synapse, backend: Backend, rows: asyncpg.Connection
) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    event = message(general, bob.matrix_id, "once")
    for txn_id in ("t1", "t1", "t2"):
        assert await synapse.put({"events": [event, event]}, txn_id=txn_id) == (200, {})
    stored = await rows.fetchval("SELECT count(*) FROM inbox WHERE event_id = $1", event["event_id"])
    assert stored == 1
    await until(
        lambda: rows.fetchval("SELECT count(*) FROM chat_messages WHERE id = $1", event["event_id"]),
        lambda count: count == 1,
    )


async def test_a_poisoned_event_is_set_apart_and_holds_up_nobody(
    synapse: Synapse, backend: Backend, rows: asyncpg.Connection
) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    mark = uuid.uuid4().hex
    good = message(general, bob.matrix_id, "with \x00 and \ud800 in it")
    poison: list[object] = [
        message(general, bob.matrix_id, mark, origin_server_ts="yesterday"),
        message(general, bob.matrix_id, "", type=mark, content=[]),
        {"type": mark},
        [mark],
        mark,
        None,
    ]
    status, _ = await synapse.put({"events": [*poison, good, *poison], "ephemeral": [{"type": "m.typing"}, 7]})
    assert status == 200
    quarantined = await rows.fetchval("SELECT count(*) FROM quarantine WHERE body LIKE '%' || $1 || '%'", mark)
    assert quarantined == 10
    body = await until(
        lambda: rows.fetchval("SELECT content ->> 'body' FROM chat_messages WHERE id = $1", good["event_id"]),
        lambda found: found is not None,
    )
    assert body.startswith("with \ufffd and ")


async def test_events_of_an_unknown_room_wait_and_harm_nothing(synapse: Synapse, rows: asyncpg.Connection) -> None:
    event = message("!nobody-knows-it", "@u_x:bitnexus.localhost", "stray")
    assert (await synapse.put({"events": [event]}))[0] == 200
    await until(
        lambda: rows.fetchval("SELECT stray FROM inbox WHERE event_id = $1", event["event_id"]), lambda stray: stray
    )
    pending = await rows.fetchval("SELECT pending FROM lanes WHERE queue = 'inbox' AND lane_key = '!nobody-knows-it'")
    assert pending == 0


async def test_row_6_a_room_that_claims_to_be_a_tenants_is_not_believed(
    synapse: Synapse, rows: asyncpg.Connection
) -> None:
    """Only a room that our creator made is taken up by what its creation says."""
    room_id = f"!claims-{uuid.uuid4().hex}"
    birth = {
        "type": "m.room.create", "event_id": f"${uuid.uuid4().hex}", "room_id": room_id, "state_key": "",
        "sender": "@u_mallory:bitnexus.localhost", "origin_server_ts": 1,
        "content": {"com.bitnexus.tenant_id": "acme", "com.bitnexus.key": "general"},
    }  # fmt: skip
    assert (await synapse.put({"events": [birth]}))[0] == 200
    await until(
        lambda: rows.fetchval("SELECT stray FROM inbox WHERE event_id = $1", birth["event_id"]), lambda stray: stray
    )
    assert await rows.fetchval("SELECT count(*) FROM chat_rooms WHERE id = $1", room_id) == 0


async def test_users_rooms_and_ping_answer_as_the_specification_says(synapse: Synapse) -> None:
    headers = {"Authorization": f"Bearer {synapse.token}"}
    base = f"{synapse.url}/_matrix/app/v1"
    for path in ("users/@u_nobody:bitnexus.localhost", "rooms/%23x:bitnexus.localhost"):
        async with synapse.http.get(f"{base}/{path}", headers=headers) as response:
            assert (response.status, (await response.json())["errcode"]) == (404, "M_NOT_FOUND")
        async with synapse.http.get(f"{base}/{path}") as response:
            assert response.status == 401
    async with synapse.http.post(f"{base}/ping", json={"transaction_id": "x"}, headers=headers) as response:
        assert (response.status, await response.json()) == (200, {})


async def test_the_modules_question_needs_the_modules_secret(synapse: Synapse) -> None:
    url = f"{synapse.url}/_bitnexus/policy/login"
    async with aiohttp.ClientSession() as http:
        for headers in ({}, {"Authorization": f"Bearer {synapse.token}"}):
            async with http.post(url, json={"user_id": "@u_x:y"}, headers=headers) as response:
                assert response.status == 401
