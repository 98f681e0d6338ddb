"""Expired accounts on a real Synapse, with SQLite and with PostgreSQL: what the bridge puts, and what people see."""

import asyncio
import json
import re
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from stand_in_bridge import Json, allow
from synapse_harness import CLIENT, CREATOR, SERVER_NAME, Actor, Answer, Homeserver, Tenant, run_homeserver

from bridge.demo.credentials import Credentials
from bridge.demo.ports import Ports
from bridge.demo.postgres import Postgres
from bridge.demo.postgres_place import remove_place
from bridge.demo.roster import Roster
from tests.support.waiting import until

EXPIRED = (403, "ORG_MATRIX_EXPIRED_ACCOUNT", None)
RIGHT = object()
SYNC_WAITS = re.compile(r"synapse_http_server_in_flight_requests_count\{[^}]*SyncRestServlet[^}]*\} [1-9]")


@dataclass
class Door:
    """The module's own side of a Synapse, and its table, reached behind Synapse's back."""

    homeserver: Homeserver
    execute: Callable[[str], Awaitable[None]]

    async def put(self, body: object, authorization: object = RIGHT, *, path: str = "/expired") -> Answer:
        homeserver = self.homeserver
        value = f"Bearer {homeserver.bridge.secret}" if authorization is RIGHT else authorization
        headers = {} if value is None else {"Authorization": str(value)}
        data = body if isinstance(body, str) else json.dumps(body)
        url = f"{homeserver.url}/_bitnexus/module{path}"
        async with homeserver.session.put(url, data=data, headers=headers) as response:
            text = await response.text()
            return Answer(response.status, json.loads(text) if text.startswith("{") else text)

    async def change(self, **people: list[Actor]) -> None:
        answer = await self.put({name: [actor.user_id for actor in actors] for name, actors in people.items()})
        assert (answer.status, answer.body) == (200, {})


@asynccontextmanager
async def postgresql(folder: Path) -> AsyncIterator[tuple[Json, str]]:
    """Run a PostgreSQL and give Synapse's setting for it, and its address for others."""
    credentials, port = Credentials(), Ports.free().postgres
    passwords, roster = credentials.postgres_passwords(), Roster(folder / "processes.json")
    server = Postgres(directory=folder, log=folder / "postgres.log", port=port, passwords=passwords, roster=roster)
    names = {"user": "synapse", "password": credentials.synapse, "dbname": "synapse"}
    try:
        await server.start()
        yield (
            {"name": "psycopg2", "args": names | {"host": "127.0.0.1", "port": port}},
            server.dsn("synapse", "synapse"),
        )
    finally:
        await server.stop()
        remove_place(folder)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp(f"expiry_{request.param}")
    if request.param == "sqlite":

        async def execute(sql: str) -> None:
            with sqlite3.connect(folder / "synapse.db", timeout=10) as database:
                database.execute(sql)

        async with run_homeserver(folder, allow) as homeserver:
            yield Door(homeserver, execute)
        return

    async def run(sql: str) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    (folder / "database").mkdir(mode=0o711)  # PostgreSQL may have to pass as another user
    async with (
        postgresql(folder / "database") as (database, dsn),
        run_homeserver(folder, allow, database=database) as running,
    ):
        yield Door(running, run)


async def person(door: Door, name: str) -> Actor:
    return await door.homeserver.register(f"u_{name}_{secrets.token_hex(4)}")


async def whoami(actor: Actor) -> Answer:
    return await actor.ask("GET", f"{CLIENT}/account/whoami")


async def metrics(door: Door) -> str:
    async with door.homeserver.session.get(f"{door.homeserver.url}/_synapse/metrics") as response:
        return await response.text()


async def test_nobody_is_expired_until_the_bridge_says_so(door: Door) -> None:
    assert (await whoami(await person(door, "new"))).status == 200


async def test_an_expired_account_is_refused_at_its_next_request_and_restored_by_the_same_token(door: Door) -> None:
    ann, ben = await person(door, "ann"), await person(door, "ben")
    tenant = await Tenant.create(door.homeserver, f"t{secrets.token_hex(4)}")
    await tenant.admit(ann)
    await tenant.admit(ben)
    await door.change(expired=[ann])
    for method, path, body in (
        ("GET", f"{CLIENT}/account/whoami", None),
        ("GET", f"{CLIENT}/sync?timeout=0", None),
        ("PUT", f"{CLIENT}/rooms/{tenant.room_id}/send/m.room.message/1", {"msgtype": "m.text", "body": "x"}),
        ("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", {"lists": {}}),
    ):
        assert (await ann.ask(method, path, body)).refusal == EXPIRED, path
    await ben.say(tenant.room_id)
    await door.change(restored=[ann])
    await ann.say(tenant.room_id)
    joined = await ann.do("GET", "/joined_rooms")
    assert {tenant.room_id, tenant.space_id} <= set(joined["joined_rooms"])


async def test_we_act_for_an_expired_account_and_end_its_sessions(door: Door) -> None:
    ann = await person(door, "masked")
    await door.change(expired=[ann])
    masked = door.homeserver.masquerade(ann.user_id)
    assert (await whoami(masked)).status == 200
    await masked.do("POST", "/logout/all", {})
    await door.change(restored=[ann])
    assert (await whoami(ann)).refusal[:2] == (401, "M_UNKNOWN_TOKEN")


async def test_a_waiting_sync_ends_empty_when_the_sessions_end(door: Door) -> None:
    ann = await person(door, "waiting")
    since = (await ann.do("GET", "/sync?timeout=0"))["next_batch"]
    waiting = asyncio.create_task(ann.ask("GET", f"{CLIENT}/sync?timeout=15000&since={since}"))
    await until(lambda: metrics(door), lambda text: SYNC_WAITS.search(text) is not None)
    await door.change(expired=[ann])
    assert not waiting.done()
    began = time.monotonic()
    await door.homeserver.masquerade(ann.user_id).do("POST", "/logout/all", {})
    answer = await waiting
    assert time.monotonic() - began < 5
    assert answer.status == 200
    assert "rooms" not in answer.body


async def test_the_same_again_is_as_good_and_the_last_word_counts(door: Door) -> None:
    ann, ben = await person(door, "again"), await person(door, "other")
    for _ in range(3):
        await door.change(expired=[ann, ben])
    await door.change(restored=[ann])
    await door.change(restored=[ann], expired=[ben])
    assert (await whoami(ann)).status == 200
    assert (await whoami(ben)).refusal == EXPIRED


async def test_a_thousand_people_at_once_take_less_than_two_seconds(door: Door) -> None:
    ann = await person(door, "crowd")
    crowd = [f"@u_crowd{number}:{SERVER_NAME}" for number in range(999)]
    began = time.monotonic()
    assert (await door.put({"expired": [ann.user_id, *crowd]})).status == 200
    assert (await whoami(ann)).refusal == EXPIRED
    assert time.monotonic() - began < 2
    assert (await door.put({"restored": [ann.user_id, *crowd]})).status == 200


async def test_requests_at_the_same_time_lose_nothing(door: Door) -> None:
    people = [await person(door, f"many{number}") for number in range(8)]
    await asyncio.gather(*(door.change(expired=[actor]) for actor in people))
    assert [(await whoami(actor)).refusal for actor in people] == [EXPIRED] * 8


async def test_a_change_by_another_process_is_seen_within_seconds(door: Door) -> None:
    ann = await person(door, "elsewhere")
    assert (await whoami(ann)).status == 200
    insert = "INSERT INTO bitnexus_expired_users (user_id) VALUES ('{}')"
    await door.execute(insert.format(ann.user_id))
    await door.execute("UPDATE bitnexus_expiry SET version = version + 1")
    await until(lambda: whoami(ann), lambda answer: answer.refusal == EXPIRED, seconds=3)


async def test_who_is_expired_outlives_synapse(door: Door) -> None:
    ann, ben = await person(door, "kept"), await person(door, "free")
    await door.change(expired=[ann])
    await door.homeserver.process.kill()
    await door.homeserver.process.start()
    assert (await whoami(ann)).refusal == EXPIRED
    assert (await whoami(ben)).status == 200


async def test_when_it_cannot_be_looked_up_the_request_fails_and_says_nothing_of_the_account(door: Door) -> None:
    ann = await person(door, "blind")
    await door.execute("ALTER TABLE bitnexus_expiry RENAME TO away")
    try:
        answer = await until(lambda: whoami(ann), lambda answer: answer.status != 200, seconds=5)
        assert answer.refusal[:2] == (500, "M_UNKNOWN")
    finally:
        await door.execute("ALTER TABLE away RENAME TO bitnexus_expiry")
    await until(lambda: whoami(ann), lambda answer: answer.status == 200, seconds=5)


async def test_only_the_secret_opens_the_door(door: Door) -> None:
    ann = await person(door, "safe")
    body = {"expired": [ann.user_id]}
    secret, token = door.homeserver.bridge.secret, door.homeserver.as_token
    for header in (None, f"Basic {secret}"):
        assert (await door.put(body, header)).refusal == (401, "M_MISSING_TOKEN", None)
        assert (await door.put("no json", header)).refusal == (401, "M_MISSING_TOKEN", None)
    for header in (f"Bearer {secret}x", f"Bearer {token}", f"Bearer {ann.token}"):
        assert (await door.put(body, header)).refusal == (403, "M_FORBIDDEN", None)
    assert (await whoami(ann)).status == 200


@pytest.mark.parametrize(
    "body",
    ["no json", "[]", {"expired": "@u_x"}, {"expired": [CREATOR]}, {"expired": ["@u_x:elsewhere.test"]}, {"all": []}],
    ids=str,
)
async def test_a_body_that_is_not_right_changes_nothing(door: Door, body: object) -> None:
    answer = await door.put(body)
    assert (answer.status, answer.body["errcode"][:2]) == (400, "M_")
    assert (await whoami(door.homeserver.creator)).status == 200


async def test_nothing_else_can_be_put(door: Door) -> None:
    for path in ("/events", "/expired/more", "/"):
        assert (await door.put({}, path=path)).refusal == (405, "M_UNRECOGNIZED", None)


async def test_refusals_and_changes_are_counted_without_ids(door: Door) -> None:
    ann = await person(door, "counted")
    await door.change(expired=[ann])
    assert (await whoami(ann)).refusal == EXPIRED
    mine = [line for line in (await metrics(door)).splitlines() if line.startswith("bitnexus_module_")]
    assert any('callback="is_user_expired",decision="deny",reason="expired"' in line for line in mine)
    assert any(line.startswith('bitnexus_module_expiry_changes_total{change="expired"}') for line in mine)
    assert not any(ann.user_id in line for line in mine)
