"""What PostgreSQL itself enforces: whose rows are whose, who may change the audit log, one chain per tenant."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncpg
import pytest

from bridge.actions.sweep_old_rows import SweepOldRows
from bridge.app import house_of
from bridge.config import Config, load_config
from bridge.db.connection import Pool, open_pool
from bridge.db.database import MissingAuditRow, PostgresDatabase
from bridge.db.people import SessionStore
from bridge.db.schema import GLOBAL_TABLES, migrate
from bridge.errors import ConfigError, InvalidInput
from bridge.model.audit import GENESIS, PLATFORM_ACTOR, AuditEntry
from bridge.model.effect import RegisterUser
from bridge.model.ids import MemberID, TenantID, UserID
from bridge.model.job import Lane, Result
from bridge.model.tenant import Role
from bridge.ports import Work
from bridge.system import SystemClock
from tests.support.backend import Backend, member_id
from tests.support.matrix_calls import config_of
from tests.support.waiting import until


@dataclass(frozen=True)
class Opened:
    """The demo's database, opened a second time beside the bridge."""

    config: Config
    app: Pool
    system: Pool
    owner: Pool
    database: PostgresDatabase


@pytest.fixture(scope="module")
async def opened(backend: Backend) -> AsyncIterator[Opened]:
    config = load_config(config_of(backend), {})
    app = await open_pool(config.database.url, size=4, application_name="tests")
    system = await open_pool(config.database.system_url, size=2, application_name="tests")
    owner = await open_pool(backend.stack["postgres_dsn"], size=2, application_name="tests")
    database = PostgresDatabase(app, system, bots=house_of(config).bots, clock=SystemClock(), wake=lambda _queue: None)
    yield Opened(config, app, system, owner, database)
    for pool in (app, system, owner):
        await pool.close()


async def test_every_table_is_global_by_name_or_under_forced_row_security(opened: Opened) -> None:
    rows = await opened.owner.fetch(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS is_forced, a.attnotnull"
        " FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    owned = {row["relname"]: row for row in rows if row["relname"] not in GLOBAL_TABLES}
    assert {"tenants", "outbox", "chat_messages", "audit_log"} < set(owned)
    assert {row["relname"] for row in rows} >= GLOBAL_TABLES
    assert [name for name, row in owned.items() if not (row["is_forced"] and row["attnotnull"])] == []


async def test_the_applications_roles_can_bypass_nothing(opened: Opened) -> None:
    rows = await opened.owner.fetch(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
        " WHERE rolname LIKE 'bitnexus%'"
    )
    assert {row["rolname"] for row in rows} == {"bitnexus_owner", "bitnexus_app", "bitnexus_system"}
    assert not any(any(tuple(row)[1:]) for row in rows)
    owned = await opened.owner.fetchval(
        "SELECT count(*) FROM pg_class WHERE relowner IN ('bitnexus_app'::regrole, 'bitnexus_system'::regrole)"
    )
    assert owned == 0


async def test_row_26_and_30_one_pooled_connection_shows_each_tenant_its_own_rows_alone(opened: Opened) -> None:
    question = "SELECT tenant_id FROM tenants"  # one prepared statement, asked for every tenant
    async with opened.app.acquire() as connection:
        for tenant_id in ("acme", "globex", "acme"):
            async with connection.transaction():
                await connection.execute("SELECT set_config('bitnexus.tenant_id', $1, true)", tenant_id)
                assert [row["tenant_id"] for row in await connection.fetch(question)] == [tenant_id]
        # outside a transaction of ours nothing is set, and nothing is seen
        assert await connection.fetch(question) == []
        assert await connection.fetch("SELECT * FROM chat_messages") == []


async def test_a_row_of_another_tenant_cannot_be_written(opened: Opened) -> None:
    async with opened.app.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('bitnexus.tenant_id', 'acme', true)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(
                "INSERT INTO memberships (tenant_id, member_id, role) VALUES ('globex', 'anna', 'owner')"
            )


async def test_a_planted_leak_is_found(opened: Opened) -> None:
    """The check above can fail: with a policy that admits everybody, the same question shows two tenants."""
    async with opened.owner.acquire() as connection:
        planted = connection.transaction()
        await planted.start()
        try:
            await connection.execute("CREATE POLICY planted ON tenants TO bitnexus_app USING (true)")
            await connection.execute("SET LOCAL ROLE bitnexus_app")
            await connection.execute("SELECT set_config('bitnexus.tenant_id', 'acme', true)")
            seen = {row["tenant_id"] for row in await connection.fetch("SELECT tenant_id FROM tenants")}
            assert {"acme", "globex"} <= seen
        finally:
            await planted.rollback()


async def test_the_narrow_role_reads_little_and_writes_nothing(opened: Opened) -> None:
    connection = await asyncpg.connect(opened.config.database.system_url)
    try:
        for statement in (
            "SELECT content FROM chat_messages",
            "SELECT name FROM chat_rooms",
            "SELECT entry FROM audit_log",
            "SELECT content FROM outbox",
            "UPDATE tenants SET name = 'x'",
            "DELETE FROM memberships",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_audit_log_takes_rows_and_nothing_else(opened: Opened) -> None:
    for pool in (opened.app, opened.owner):
        async with pool.acquire() as connection:
            for statement in (
                "UPDATE audit_log SET entry = 'x' WHERE tenant_id = 'acme'",
                "DELETE FROM audit_log WHERE tenant_id = 'acme'",
                "TRUNCATE audit_log",
            ):
                act = connection.transaction()
                await act.start()
                await connection.execute("SELECT set_config('bitnexus.tenant_id', 'acme', true)")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
                await act.rollback()


async def chain(opened: Opened, tenant_id: str) -> list[asyncpg.Record]:
    return await opened.owner.fetch("SELECT * FROM audit_log WHERE tenant_id = $1 ORDER BY seq", tenant_id)


def verify(rows: list[asyncpg.Record]) -> None:
    previous = GENESIS
    for number, row in enumerate(rows, start=1):
        assert (row["seq"], row["previous_hash"]) == (number, previous)
        assert row["hash"] == hashlib.sha256(previous + row["entry"].encode()).digest()
        previous = row["hash"]


async def test_each_change_leaves_its_audit_row(opened: Opened, backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    await backend.finish(await backend.put_member(tenant_id, "bob", "admin"))
    body = {"name": "k", "scopes": ["events:write"]}
    key = await backend.ok("POST", f"/v1/tenants/{tenant_id}/integration-keys", body)
    await backend.call("DELETE", f"/v1/tenants/{tenant_id}/integration-keys/{key['key_id']}")
    await backend.finish(await backend.ok("DELETE", f"/v1/tenants/{tenant_id}/members/{member_id(tenant_id, 'bob')}"))
    rows = await chain(opened, tenant_id)
    verify(rows)
    entries = [json.loads(row["entry"]) for row in rows]
    acts = [entry["action"] for entry in entries if entry["action"] != "tenant.reconciled"]
    assert acts == [
        "tenant.created", "member.added", "member.changed", "integration_key.created", "integration_key.revoked",
        "member.removed",
    ]  # fmt: skip
    assert {entry["actor"]["kind"] for entry in entries} == {"platform", "system"}
    assert key["key"] not in json.dumps(entries)
    changed = next(entry for entry in entries if entry["action"] == "member.changed")
    assert (changed["details"]["old_role"], changed["details"]["role"]) == ("member", "admin")


async def test_row_38_a_name_can_be_erased_and_the_chain_still_verifies(opened: Opened, backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    stored = await opened.owner.fetch("SELECT value FROM audit_personal WHERE tenant_id = $1", tenant_id)
    assert [row["value"] for row in stored] == ["Bob"]
    assert all("Bob" not in row["entry"] for row in await chain(opened, tenant_id))
    await opened.owner.execute("DELETE FROM audit_personal WHERE tenant_id = $1", tenant_id)
    verify(await chain(opened, tenant_id))


async def test_row_39_fifty_writers_at_once_make_one_chain(opened: Opened, backend: Backend) -> None:
    tenant_id = TenantID(await backend.new_tenant())

    async def write(number: int) -> None:
        async with opened.database.act(tenant_id, PLATFORM_ACTOR) as act:
            await act.audit(AuditEntry(action="test.written", target=str(number), personal={"name": f"N{number}"}))

    await asyncio.gather(*(write(number) for number in range(50)))
    rows = await chain(opened, tenant_id)
    assert sum(json.loads(row["entry"])["action"] == "test.written" for row in rows) == 50
    verify(rows)


async def test_a_change_without_an_audit_row_is_undone(opened: Opened, backend: Backend) -> None:
    tenant_id = TenantID(await backend.new_tenant(bob="member"))
    bob = MemberID(member_id(tenant_id, "bob"))
    with pytest.raises(MissingAuditRow):
        async with opened.database.act(tenant_id, PLATFORM_ACTOR) as act:
            await act.tenants.save_members({bob: Role.OWNER})
    listed = (await backend.ok("GET", f"/v1/tenants/{tenant_id}/members"))["items"]
    assert [item["role"] for item in listed] == ["member"]


async def test_migrating_twice_at_once_applies_nothing_twice(opened: Opened) -> None:
    url = opened.config.database.migration_url
    assert url is not None
    assert await asyncio.gather(migrate(url), migrate(url)) == [[], []]


async def test_the_read_model_holds_what_was_said(opened: Opened, backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    said = await bob.say(general, f"hello {uuid.uuid4().hex}")
    edit = {
        "msgtype": "m.text", "body": "* better", "m.new_content": {"msgtype": "m.text", "body": "better"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": said},
    }  # fmt: skip
    await bob.ok("PUT", f"v3/rooms/{general}/send/m.room.message/{uuid.uuid4().hex}", edit)
    gone = await bob.say(general, "to be redacted")
    await bob.ok("PUT", f"v3/rooms/{general}/redact/{gone}/{uuid.uuid4().hex}", {})
    await bob.ok("POST", f"v3/rooms/{general}/receipt/m.read/{gone}", {})

    async def look() -> tuple[object, object, object]:
        message = await opened.owner.fetchval("SELECT content FROM chat_messages WHERE id = $1", said)
        redacted = await opened.owner.fetchval("SELECT content FROM chat_messages WHERE id = $1", gone)
        read = await opened.owner.fetchval(
            "SELECT message_id FROM chat_message_reads WHERE room_id = $1 AND user_id = $2", general, bob.matrix_id
        )
        return message and message["body"], redacted, read

    await until(look, lambda seen: seen == ("better", {}, gone))
    rooms = await opened.owner.fetch("SELECT id, name, type FROM chat_rooms WHERE tenant_id = $1", tenant_id)
    assert {(row["name"], row["type"]) for row in rooms} == {(f"Tenant {tenant_id}", "space"), ("General", "general")}
    members = await opened.owner.fetch(
        "SELECT user_id, role FROM chat_room_members WHERE room_id = $1 AND membership = 'join'", general
    )
    roles = {row["user_id"]: row["role"] for row in members}
    assert roles[bob.matrix_id] == "member"
    assert sorted(roles.values()) == ["bot", "bot", "bot", "member", "owner"]
    left = await opened.owner.fetchval("SELECT count(*) FROM inbox WHERE room_id = $1 AND body IS NOT NULL", general)
    assert left == 0


async def test_a_job_remembers_why_an_effect_failed(opened: Opened, backend: Backend) -> None:
    tenant_id = TenantID(await backend.new_tenant())
    effects = [RegisterUser(user_id=UserID("@u_a:x")), RegisterUser(user_id=UserID("@u_b:x"))]

    async def play() -> None:
        async with opened.database.work(tenant_id) as work:
            job_id = await work.jobs.enqueue(1)
            fence = await opened.owner.fetchval("SELECT fence FROM lanes WHERE lane_key = $1", tenant_id)
            lane = Lane(queue="reconcile", lane_key=tenant_id, tenant_id=tenant_id, fence=fence, attempts=0)
            position = await work.jobs.begin(lane, job_id, effects)
            await work.jobs.record_results(lane, job_id, [Result(position=position, effect=effects[0], error="no")])
            await work.jobs.begin(lane, job_id, [])  # the next round finds nothing else to do
            job = await work.jobs.find(job_id)
            assert job is not None
            assert [(effect.state, effect.error) for effect in job.effects] == [("failed", "no")]
            raise UndoneError

    with pytest.raises(UndoneError):
        await play()


async def test_what_the_database_cannot_hold_is_undone_alone(opened: Opened, backend: Backend) -> None:
    tenant_id = TenantID(await backend.new_tenant())

    async def store(work: Work, *keys: str) -> None:
        async with work.savepoint():
            for key in keys:
                await work.outbox.claim_idempotency_key(key, b"x", [])

    async with opened.database.work(tenant_id) as work:
        with pytest.raises(InvalidInput):
            await store(work, "good", "nul \0")
        assert await work.outbox.find_receipt("good") is None
        await store(work, "later")
        assert await work.outbox.find_receipt("later") is not None


class UndoneError(Exception):
    """Undoes what a test did in a transaction."""


@pytest.mark.parametrize(
    "spoil",
    [lambda url: url.replace("bitnexus_app:", "bitnexus_app:x"), lambda url: url + "_absent", lambda _url: "nonsense"],
    ids=["password", "database", "address"],
)
async def test_a_database_that_refuses_us_is_told_in_words(opened: Opened, spoil: Callable[[str], str]) -> None:
    with pytest.raises(ConfigError, match="see the settings under 'database'"):
        await open_pool(spoil(opened.config.database.url), size=1, application_name="tests")


async def test_what_has_served_its_time_is_forgotten_and_nothing_else(opened: Opened, backend: Backend) -> None:
    tenant_id = TenantID(await backend.new_tenant())
    marks = {days: f"{tenant_id}-{days}" for days in (1, 8, 31)}
    for days, mark in marks.items():
        await opened.owner.execute(
            "INSERT INTO inbox (event_id, room_id, kind, handled_at)"
            " VALUES ($1, '!x', 'event', now() - make_interval(days => $2))",
            mark,
            days,
        )
        await opened.owner.execute(
            "INSERT INTO event_receipts (tenant_id, idempotency_key, body_sha256, delivery_ids, created_at)"
            " VALUES ($1, $2, '', '{}', now() - make_interval(days => $3))",
            tenant_id,
            mark,
            days,
        )
        await opened.owner.execute(
            "INSERT INTO jobs (job_id, tenant_id, revision, state, finished_at)"
            " VALUES (gen_random_uuid(), $1, $2, 'done', now() - make_interval(days => $3))",
            tenant_id,
            1000 + days,
            days,
        )
    assert (
        await SweepOldRows(
            database=opened.database, sessions=SessionStore(opened.app, opened.system), clock=SystemClock()
        )()
        >= 4
    )
    events = await opened.owner.fetch("SELECT event_id FROM inbox WHERE event_id LIKE $1 || '-%'", tenant_id)
    keys = await opened.owner.fetch("SELECT idempotency_key FROM event_receipts WHERE tenant_id = $1", tenant_id)
    jobs = await opened.owner.fetch("SELECT revision FROM jobs WHERE tenant_id = $1 AND revision > 1000", tenant_id)
    assert {row["event_id"] for row in events} == {marks[1], marks[8]}
    assert {row["idempotency_key"] for row in keys} == {marks[1]}
    assert {row["revision"] for row in jobs} == {1001, 1008}


@pytest.mark.parametrize(("days", "is_free"), [(6, False), (8, True)])
async def test_an_idempotency_key_is_kept_for_seven_days(
    opened: Opened, backend: Backend, days: int, *, is_free: bool
) -> None:
    tenant_id = TenantID(await backend.new_tenant())
    async with opened.database.work(tenant_id) as work:
        assert await work.outbox.claim_idempotency_key("k", b"old", [])
    await opened.owner.execute(
        "UPDATE event_receipts SET created_at = now() - make_interval(days => $2) WHERE tenant_id = $1", tenant_id, days
    )
    async with opened.database.work(tenant_id) as work:
        assert await work.outbox.claim_idempotency_key("k", b"new", []) is is_free
        assert await work.outbox.find_receipt("k") == (b"new" if is_free else b"old", [])


async def test_used_tokens_are_swept_when_nobody_accepts_them_any_more(opened: Opened) -> None:
    marks = {minutes: uuid.uuid4().hex for minutes in (5, 11)}
    for minutes, mark in marks.items():
        await opened.owner.execute(
            "INSERT INTO used_tokens (iss, jti, expires_at) VALUES ('test', $1, now() - make_interval(mins => $2))",
            mark,
            minutes,
        )
    await SessionStore(opened.app, opened.system).forget_expired()
    left = await opened.owner.fetch("SELECT jti FROM used_tokens WHERE jti = ANY($1)", list(marks.values()))
    assert [row["jti"] for row in left] == [marks[5]]
