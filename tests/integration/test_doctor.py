"""The doctor on a real stack: well when all is well, and each thing that is broken is named with its remedy."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from bridge.config import load_config
from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from bridge.doctor.command import make_report
from bridge.doctor.report import as_json, hider
from bridge.matrix.homeserver import BOT_DEVICE
from tests.support.backend import Backend, Client, member_id
from tests.support.own_stack import backend_of, hanging
from tests.support.waiting import until

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CHECKOUT = Path(__file__).parents[2]
CHECKS = [
    "configuration", "postgresql", "migrations", "roles", "synapse", "registration", "bots", "module", "bridge", "ping",
    "lanes", "faults", "counters", "dead_letters", "reconciles", "power",
    "quarantine", "stray", "gaps",
]  # fmt: skip
EVENT = {"type": "alert", "to": [{"room": "general"}], "title": "It burns", "body": "Look!"}


@dataclass(frozen=True)
class Seen:
    """What the doctor printed."""

    exit_status: int
    text: str

    @property
    def report(self) -> Mapping[str, Any]:
        return json.loads(self.text)

    @property
    def by_name(self) -> dict[str, Any]:
        return {check["name"]: check for check in self.report["checks"]}

    @property
    def statuses(self) -> dict[str, str]:
        """Return what is not well."""
        return {name: check["status"] for name, check in self.by_name.items() if check["status"] != "ok"}


async def run_doctor(stack: Stack, *options: str, **environment: str) -> Seen:
    """Run the command as an operator does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BITNEXUS_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "doctor", "--config", str(stack.config_path), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=CHECKOUT,
        env=kept | environment,
    )
    output, errors = await process.communicate()
    assert process.returncode in {0, 1}, errors.decode()
    assert "Traceback" not in errors.decode(), errors.decode()
    return Seen(process.returncode, output.decode())


async def examine(stack: Stack, *, mend: bool = False, **environment: str) -> Seen:
    """Have the same done in this process, which is faster, and shown as JSON."""
    config = load_config(stack.config_path, environment)
    report = await make_report(config, mend=mend, tell=lambda _text: None)
    return Seen(report.exit_status, as_json(report, hider(config)))


@pytest.fixture(scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack that these tests may break."""
    folder = tmp_path_factory.mktemp("doctor")
    # the timer must not mend what a test breaks
    overrides = {"repair": {"interval_seconds": 3600.0}}
    async with running_stack(folder, ports=Ports.free(), with_model=False, overrides=overrides) as stack:
        yield stack


@pytest.fixture(scope="module")
async def backend(own_stack: Stack) -> AsyncIterator[Backend]:
    async with backend_of(own_stack) as found:
        yield found


@pytest.fixture(scope="module")
async def superuser(own_stack: Stack) -> AsyncIterator[Pool]:
    """The bridge's database, past row-level security; its connections survive a stop of the server."""
    async with asyncpg.create_pool(own_stack.postgres_dsn, min_size=0, max_size=2) as pool:
        yield pool


@dataclass(frozen=True)
class Scene:
    """A tenant with one room and one person in it."""

    tenant_id: str
    general: str
    bob: Client
    key: str


@pytest.fixture
async def scene(backend: Backend) -> Scene:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    general = (await bob.rooms())["general"]
    return Scene(tenant_id, general, bob, await backend.integration_key(tenant_id))


async def nothing_waits(superuser: Pool) -> None:
    question = "SELECT count(*) FROM lanes WHERE pending > 0 OR lease_until > now()"
    await until(lambda: superuser.fetchval(question), lambda waiting: waiting == 0)


# --- well -----------------------------------------------------------------------------------------------------------


async def test_a_healthy_stack_is_well_in_every_check(own_stack: Stack, scene: Scene, superuser: Pool) -> None:
    await nothing_waits(superuser)
    seen = await examine(own_stack)
    assert seen.statuses == {}, seen.text
    assert (seen.exit_status, seen.report["status"]) == (0, "ok")
    assert list(seen.by_name) == CHECKS[1:]
    assert seen.by_name["postgresql"]["figures"]["bridges"] == 1
    assert seen.report["repairs"] is None


async def test_a_person_reads_every_check_without_colours_and_no_secret(own_stack: Stack, backend: Backend) -> None:
    for options in ([], ["--json"], ["--json", "--repair"]):
        seen = await run_doctor(own_stack, *options)
        assert seen.exit_status == 0, seen.text
        assert "\x1b" not in seen.text
        assert [name for name in CHECKS if name not in seen.text] == []
        config = own_stack.config
        secrets = {config.appservice.as_token, config.appservice.hs_token, config.appservice.module_secret}
        secrets |= {config.platform.key, *own_stack.postgres.passwords.values()}
        assert [secret for secret in secrets if secret in seen.text] == []


async def test_without_the_bridge_it_says_so_and_looks_at_all_the_rest(own_stack: Stack) -> None:
    await own_stack.bridge.stop()
    try:
        seen = await examine(own_stack)
    finally:
        await own_stack.bridge.start()
    assert seen.statuses == {"bridge": "warning", "ping": "warning"}
    assert seen.exit_status == 0
    assert "does not run here" in seen.by_name["bridge"]["sentence"]
    assert "Start it" in seen.by_name["bridge"]["remedy"]


# --- parts that are away or wrong -----------------------------------------------------------------------------------


async def test_without_synapse_the_database_is_still_looked_at(own_stack: Stack) -> None:
    await own_stack.synapse.stop()
    try:
        seen = await examine(own_stack)
    finally:
        await own_stack.synapse.start()
    assert seen.exit_status == 1
    away = {name for name, status in seen.statuses.items() if status == "failing"}
    assert away == {"synapse", "bridge"}
    assert "Start Synapse" in seen.by_name["synapse"]["remedy"]
    assert "synapse" in seen.by_name["bridge"]["sentence"]
    skipped = {name for name, status in seen.statuses.items() if status == "warning"}
    assert skipped == {"registration", "bots", "module", "ping", "gaps"}
    assert {seen.by_name[name]["sentence"] for name in skipped} == {"Not looked at: it needs synapse."}


async def test_without_postgresql_synapse_is_still_looked_at(own_stack: Stack) -> None:
    await own_stack.postgres.stop()
    try:
        seen = await examine(own_stack)
    finally:
        await own_stack.postgres.start()
        await until(lambda: ready(own_stack), bool)
    assert seen.exit_status == 1
    assert seen.statuses["postgresql"] == "failing"
    assert "Start PostgreSQL" in seen.by_name["postgresql"]["remedy"]
    assert "does not answer" in seen.by_name["postgresql"]["sentence"]
    assert seen.by_name["lanes"]["sentence"] == "Not looked at: it needs postgresql."
    assert seen.by_name["synapse"]["status"] in {"ok", "failing"}  # Synapse itself may need its database
    assert "postgresql" in seen.by_name["bridge"]["sentence"]


async def ready(stack: Stack) -> bool:
    seen = await examine(stack)
    return seen.by_name["bridge"]["status"] == "ok" and seen.by_name["registration"]["status"] == "ok"


async def test_what_hangs_is_told_within_ten_seconds(own_stack: Stack) -> None:
    with hanging(own_stack.postgres.process.pid, own_stack.synapse.process.pid):
        seen = await examine(own_stack)
    assert seen.report["seconds"] < 7, seen.text  # and a second or two for Python to begin
    assert seen.exit_status == 1
    assert {seen.statuses[name] for name in ("postgresql", "synapse", "bridge")} == {"failing"}
    await until(lambda: ready(own_stack), bool)


async def test_another_module_secret_is_told_by_the_settings_name(own_stack: Stack) -> None:
    seen = await examine(own_stack, BITNEXUS_APPSERVICE_MODULE_SECRET="another-secret-than-synapse-has")
    assert (seen.exit_status, seen.statuses["module"]) == (1, "failing")
    assert "appservice.module_secret" in seen.by_name["module"]["sentence"]
    assert "bitnexus-chat registration" in seen.by_name["module"]["remedy"]
    assert "another-secret" not in seen.text
    assert seen.by_name["gaps"]["sentence"] == "Not looked at: it needs module."


async def test_another_token_is_told_as_a_registration_that_synapse_does_not_have(own_stack: Stack) -> None:
    seen = await examine(own_stack, BITNEXUS_APPSERVICE_AS_TOKEN="another-token-than-synapse-has")
    assert (seen.exit_status, seen.statuses["registration"]) == (1, "failing")
    assert "does not know our token" in seen.by_name["registration"]["sentence"]
    assert "bitnexus-chat registration" in seen.by_name["registration"]["remedy"]


async def test_settings_that_cannot_be_used_are_named(own_stack: Stack) -> None:
    seen = await run_doctor(own_stack, "--json", BITNEXUS_HTTP_LISTEN__PORT="many")
    assert seen.exit_status == 1
    assert list(seen.by_name) == ["configuration"]
    assert "http.listen.port" in seen.by_name["configuration"]["sentence"]


async def test_a_bot_without_its_device_is_named_and_a_restart_mends_it(own_stack: Stack, backend: Backend) -> None:
    keeper = f"@bitnexus_keeper:{own_stack.config.homeserver.server_name}"
    url = f"{own_stack.synapse.url}/_matrix/client/v3/devices/{BOT_DEVICE}"
    headers = {"Authorization": f"Bearer {own_stack.credentials.as_token}"}
    async with backend.http.delete(url, params={"user_id": keeper}, headers=headers, json={}) as answer:
        assert answer.status == 200, await answer.text()
    seen = await examine(own_stack)
    assert (seen.exit_status, seen.statuses) == (1, {"bots": "failing"})
    assert seen.by_name["bots"]["details"] == [keeper]
    assert "restart it" in seen.by_name["bots"]["remedy"]
    await own_stack.bridge.stop()
    await own_stack.bridge.start()
    assert (await examine(own_stack)).statuses == {}


@asynccontextmanager
async def broken_by(superuser: Pool, breaks: str, mends: str) -> AsyncIterator[None]:
    await superuser.execute(breaks)
    try:
        yield
    finally:
        await superuser.execute(mends)


async def test_a_role_that_sees_every_tenant_is_failing(own_stack: Stack, superuser: Pool) -> None:
    async with broken_by(superuser, "ALTER ROLE bitnexus_app BYPASSRLS", "ALTER ROLE bitnexus_app NOBYPASSRLS"):
        seen = await examine(own_stack)
    assert (seen.exit_status, seen.statuses) == (1, {"roles": "failing"})
    assert seen.by_name["roles"]["details"] == ["bitnexus_app bypasses row-level security"]
    mends = "ALTER TABLE outbox FORCE ROW LEVEL SECURITY"
    async with broken_by(superuser, "ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY", mends):
        seen = await examine(own_stack)
    assert seen.by_name["roles"]["details"] == ["table outbox does not force row-level security"]
    assert "deploy/postgres-init.sql" in seen.by_name["roles"]["remedy"]


async def test_a_schema_of_another_version_is_failing(own_stack: Stack, superuser: Pool) -> None:
    newer = "INSERT INTO schema_migrations (number, name) VALUES (9999, '9999_later.sql')"
    async with broken_by(superuser, newer, "DELETE FROM schema_migrations WHERE number = 9999"):
        seen = await examine(own_stack)
    assert (seen.exit_status, seen.statuses["migrations"]) == (1, "failing")
    assert "9999_later.sql" in seen.by_name["migrations"]["sentence"]
    older = "UPDATE schema_migrations SET number = -2 WHERE number = 2"
    async with broken_by(superuser, older, "UPDATE schema_migrations SET number = 2 WHERE number = -2"):
        seen = await examine(own_stack)
    assert (seen.statuses["migrations"], seen.by_name["migrations"]["remedy"]) == (
        "failing",
        "Run 'bitnexus-chat migrate'.",
    )
    assert seen.by_name["lanes"]["sentence"] == "Not looked at: it needs migrations."


# --- work that is held up -------------------------------------------------------------------------------------------


async def test_a_dead_letter_is_named_by_tenant_row_room_and_error(
    own_stack: Stack, superuser: Pool, scene: Scene
) -> None:
    row = await superuser.fetchval(
        "INSERT INTO outbox (tenant_id, room_id, kind, sender, event_type, content, state, error, finished_at)"
        " VALUES ($1, $2, 'send', '@x:y', 'm.room.message', '{}', 'dead', 'Synapse refused (send, M_TOO_LARGE)', now())"
        " RETURNING outbox_id",
        scene.tenant_id,
        scene.general,
    )
    seen = await examine(own_stack)
    await superuser.execute("DELETE FROM outbox WHERE outbox_id = $1", row)
    assert (seen.exit_status, seen.statuses) == (0, {"dead_letters": "warning"})
    found = seen.by_name["dead_letters"]
    assert found["figures"] == {"total": 1, "last_7_days": 1, "last_hour": 1, "tenants": 1}
    (line,) = found["details"]
    assert [word for word in (scene.tenant_id, str(row), scene.general, "M_TOO_LARGE") if word not in line] == []
    assert "send it again" in found["remedy"]


async def test_quarantine_stray_events_and_a_failed_reconcile_are_named(
    own_stack: Stack, superuser: Pool, scene: Scene
) -> None:
    await nothing_waits(superuser)
    job_id = str(uuid.uuid4())
    await superuser.execute("INSERT INTO quarantine (body, error) VALUES ('{}', 'no sender')")
    await superuser.execute(
        "INSERT INTO inbox (event_id, room_id, kind, body, stray, received_at)"
        " VALUES ('$stray', '!unknown', 'event', '{}', true, now() - interval '2 hours')"
    )
    await superuser.execute(
        "INSERT INTO jobs (job_id, tenant_id, state, revision, error, finished_at)"
        " VALUES ($1::text::uuid, $2, 'failed', 1, '1 effects failed; each says why', now())",
        job_id,
        scene.tenant_id,
    )
    seen = await examine(own_stack)
    await superuser.execute("DELETE FROM quarantine; DELETE FROM inbox WHERE event_id = '$stray'")
    await superuser.execute("DELETE FROM jobs WHERE job_id = $1::text::uuid", job_id)
    assert seen.statuses == {"quarantine": "warning", "stray": "warning", "reconciles": "warning"}
    assert "no sender" in seen.by_name["quarantine"]["details"][0]
    assert seen.by_name["stray"]["details"] == ["!unknown"]
    assert job_id in seen.by_name["reconciles"]["details"][0]


async def test_a_room_without_our_power_is_named_with_what_it_takes(
    own_stack: Stack, superuser: Pool, scene: Scene
) -> None:
    await nothing_waits(superuser)
    creator = f"@bitnexus:{own_stack.config.homeserver.server_name}"
    outside = "UPDATE chat_room_members SET membership = $3 WHERE room_id = $1 AND user_id = $2"
    await superuser.execute(outside, scene.general, creator, "leave")
    seen = await examine(own_stack)
    await superuser.execute(outside, scene.general, creator, "join")
    assert (seen.exit_status, seen.statuses) == (1, {"power": "failing"})
    (line,) = seen.by_name["power"]["details"]
    assert line == f"{scene.tenant_id}, 'general' ({scene.general}): {creator} is not in it"
    assert "make_room_admin" in seen.by_name["power"]["remedy"]


async def test_in_a_room_of_version_11_somebody_of_our_power_is_told(
    own_stack: Stack, superuser: Pool, scene: Scene
) -> None:
    await nothing_waits(superuser)
    creator = f"@bitnexus:{own_stack.config.homeserver.server_name}"
    believed = {
        "m.room.create": {"room_version": "11"},
        "m.room.power_levels": {"users": {creator: 150, "@meddler:x": 150}, "events": {"m.room.power_levels": 150}},
    }
    swap = (
        "UPDATE room_state s SET content = $3::jsonb FROM room_state o WHERE o.room_id = $1 AND o.event_type = $2"
        " AND (s.room_id, s.event_type, s.state_key) = (o.room_id, o.event_type, o.state_key)"
        " RETURNING o.content::text"
    )
    stood = {name: await superuser.fetchval(swap, scene.general, name, json.dumps(believed[name])) for name in believed}
    seen = await examine(own_stack)
    for name, content in stood.items():
        await superuser.execute(swap, scene.general, name, content)
    (line,) = seen.by_name["power"]["details"]
    assert line.endswith(f"{creator} has power 150; it takes 150, and somebody else has 150")
    assert (await examine(own_stack)).statuses == {}


async def waiting_event(backend: Backend, superuser: Pool, scene: Scene) -> str:
    """Have an event wait in the room's outbox for an hour; return its delivery id."""
    first = await backend.ok("POST", "/v1/events", EVENT | {"id": "first"}, token=scene.key)
    await until(lambda: shown(scene), lambda seen: seen == [first["deliveries"][0]["delivery_id"]])
    await nothing_waits(superuser)
    await superuser.execute(
        "UPDATE lanes SET not_before = now() + interval '1 hour', faults = 1 WHERE queue = 'outbox' AND lane_key = $1",
        scene.general,
    )
    answer = await backend.ok("POST", "/v1/events", EVENT | {"id": "held"}, token=scene.key)
    return str(answer["deliveries"][0]["delivery_id"])


async def shown(scene: Scene) -> list[str]:
    events = await scene.bob.messages(scene.general)
    return [e["content"]["com.bitnexus.delivery_id"] for e in events if "com.bitnexus.delivery_id" in e["content"]]


@pytest.mark.parametrize(("faults", "status"), [(1, "warning"), (4, "failing")])
async def test_a_lane_with_faults_is_named_with_its_last_error(
    own_stack: Stack, backend: Backend, superuser: Pool, scene: Scene, *, faults: int, status: str
) -> None:
    held = await waiting_event(backend, superuser, scene)
    await superuser.execute(
        "UPDATE lanes SET faults = $2, attempts = $2, error = 'KeyError: membership'"
        " WHERE queue = 'outbox' AND lane_key = $1",
        scene.general,
        faults,
    )
    seen = await examine(own_stack)
    assert (seen.exit_status, seen.statuses) == (int(status == "failing"), {"faults": status})
    (line,) = seen.by_name["faults"]["details"]
    assert [word for word in (scene.general, scene.tenant_id, "KeyError: membership") if word not in line] == []
    assert "report it" in seen.by_name["faults"]["remedy"]
    assert seen.by_name["lanes"]["figures"]["outbox"]["items_pending"] == 1
    await superuser.execute("UPDATE lanes SET not_before = '-infinity' WHERE lane_key = $1", scene.general)
    assert held in await until(lambda: shown(scene), lambda delivered: len(delivered) == 2)


async def test_work_that_waits_too_long_is_late_then_stuck(
    own_stack: Stack, backend: Backend, superuser: Pool, scene: Scene
) -> None:
    await waiting_event(backend, superuser, scene)
    for age, status in (("2 minutes", "warning"), ("20 minutes", "failing")):
        await superuser.execute(
            "UPDATE outbox SET created_at = now() - $1::text::interval WHERE state = 'pending'", age
        )
        seen = await examine(own_stack)
        assert seen.statuses == {"lanes": status}
        assert "worker.concurrency" in seen.by_name["lanes"]["remedy"]
    await superuser.execute("UPDATE lanes SET not_before = '-infinity' WHERE lane_key = $1", scene.general)
    await nothing_waits(superuser)


async def test_repair_counts_anew_and_what_was_hidden_is_sent(
    own_stack: Stack, backend: Backend, superuser: Pool, scene: Scene
) -> None:
    held = await waiting_event(backend, superuser, scene)
    await own_stack.bridge.stop()  # it counts anew by itself each minute
    try:
        await superuser.execute(
            "UPDATE lanes SET pending = 0, not_before = '-infinity' WHERE queue = 'outbox' AND lane_key = $1",
            scene.general,
        )
        seen = await examine(own_stack)
        assert (seen.exit_status, seen.statuses["counters"]) == (1, "failing")
        assert "says 0, 1 wait" in seen.by_name["counters"]["details"][0]
        assert "--repair" in seen.by_name["counters"]["remedy"]
        mended = await examine(own_stack, mend=True)
        counters = {each["name"]: each for each in mended.report["repairs"]}["counters"]
        assert (counters["mended"], counters["error"]) == (1, None)
        assert mended.by_name["counters"]["status"] == "ok"
    finally:
        await own_stack.bridge.start()
    assert held in await until(lambda: shown(scene), lambda delivered: len(delivered) == 2)


async def test_repair_takes_in_what_never_came(own_stack: Stack, superuser: Pool, scene: Scene) -> None:
    event_id = await scene.bob.say(scene.general, "did you get this?")
    question = "SELECT count(*) FROM chat_messages WHERE id = $1"
    await until(lambda: superuser.fetchval(question, event_id), lambda found: found == 1)
    await own_stack.bridge.stop()
    try:
        place = await superuser.fetchval("SELECT stream_position FROM inbox WHERE event_id = $1", event_id)
        await superuser.execute("DELETE FROM inbox WHERE event_id = $1", event_id)
        await superuser.execute("DELETE FROM chat_messages WHERE id = $1", event_id)
        await superuser.execute("UPDATE stream_positions SET position = $1 WHERE name = 'events'", place - 1)
        seen = await examine(own_stack)
        assert seen.statuses == {"bridge": "warning", "ping": "warning", "gaps": "warning"}
        assert seen.by_name["gaps"]["figures"]["missing"] == 1
        assert "--repair" in seen.by_name["gaps"]["remedy"]
        mended = await examine(own_stack, mend=True)
        gaps = {each["name"]: each for each in mended.report["repairs"]}["gaps"]
        assert (gaps["mended"], gaps["error"]) == (1, None)
        assert mended.by_name["gaps"]["status"] == "ok"
    finally:
        await own_stack.bridge.start()
    await until(lambda: superuser.fetchval(question, event_id), lambda found: found == 1)


async def test_a_repair_that_cannot_be_made_is_failing(own_stack: Stack) -> None:
    await own_stack.synapse.stop()
    try:
        seen = await examine(own_stack, mend=True)
    finally:
        await own_stack.synapse.start()
    assert seen.exit_status == 1
    gaps = {each["name"]: each for each in seen.report["repairs"]}["gaps"]
    assert "Synapse does not answer" in gaps["error"]
