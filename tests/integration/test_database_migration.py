"""A database of the first version, with rows in every table, becomes one of this version, and its work goes on."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from bridge.actions.handle_matrix_events import HandleMatrixEvents
from bridge.db.schema import migrate, migrations
from bridge.demo.postgres import SUPERUSER, Postgres
from bridge.model.event import Sent
from bridge.model.ids import DeliveryID, EventID, RoomID
from bridge.model.room import MatrixHouse
from tests.support.own_database import ACME, BOTS, OwnDatabase, fresh_database

ROOM = RoomID("!r")
HOUSE = MatrixHouse(server_name="s", room_version="12", bots=BOTS)

FIRST_VERSION = """
INSERT INTO users (member_id, matrix_id, display_name) VALUES ('ben', '@u_ben:s', 'Ben');
INSERT INTO sessions (token_sha256, member_id, device_id, expires_at)
  VALUES ('x', 'ben', 'D', now() + interval '1 hour');
INSERT INTO used_tokens VALUES ('iss', 'jti', now() + interval '1 hour');
INSERT INTO tenants (tenant_id, name, status, settings) VALUES ('acme', 'Acme', 'active', '{}');
INSERT INTO tenant_rooms (tenant_id, key, position, type, name, access)
  VALUES ('acme', 'r', 0, 'general', 'General', 'tenant');
INSERT INTO memberships (tenant_id, member_id, role) VALUES ('acme', 'ben', 'member');
INSERT INTO chat_rooms (id, tenant_id, key, name, type) VALUES ('!r', 'acme', 'r', 'General', 'general');
INSERT INTO room_state (tenant_id, room_id, event_type, state_key, event_id, sender, content, origin_server_ts)
  VALUES ('acme', '!r', 'm.room.name', '', '$old', '@bitnexus:s', '{"name": "General"}', 500);
INSERT INTO chat_room_members (room_id, tenant_id, user_id, role, membership)
  VALUES ('!r', 'acme', '@u_ben:s', 'member', 'join');
INSERT INTO chat_messages (id, room_id, tenant_id, user_id, content, created_at)
  VALUES ('$1', '!r', 'acme', '@u_ben:s', '{"body": "first"}', now()),
         ('$2', '!r', 'acme', '@u_ben:s', '{"body": "second"}', now());
INSERT INTO chat_message_reads (message_id, room_id, tenant_id, user_id, read_at)
  VALUES ('$1', '!r', 'acme', '@u_ben:s', now());
INSERT INTO inbox (event_id, room_id, kind, body) VALUES ('$3', '!r', 'event',
  '{"event_id": "$3", "room_id": "!r", "event_type": "m.room.message", "sender": "@u_ben:s",
    "content": {"body": "third"}, "origin_server_ts": 1000, "state_key": null, "redacts": null}');
INSERT INTO inbox (event_id, room_id, kind, stray, body) VALUES ('$s', '!unknown', 'event', true,
  '{"event_id": "$s", "room_id": "!unknown", "event_type": "m.room.message", "sender": "@u_ben:s",
    "content": {"body": "stray"}, "origin_server_ts": 1000, "state_key": null, "redacts": null}');
INSERT INTO quarantine (body, error) VALUES ('{}', 'odd');
INSERT INTO outbox (tenant_id, room_id, kind, sender, event_type, content, state, attempts, first_attempt_at)
  VALUES ('acme', '!r', 'send', '@bitnexus_relay:s', 'm.room.message',
          '{"body": "waiting", "com.bitnexus.delivery_id": "dlv_1"}', 'pending', 1, now()),
         ('acme', '!r', 'send', '@bitnexus_relay:s', 'm.room.message',
          '{"body": "sent", "com.bitnexus.delivery_id": "dlv_0"}', 'sent', 1, now()),
         ('acme', '!r', 'answer', '@bitnexus_nexushub:s', 'm.room.message', '{"question": "$1"}', 'pending', 0, NULL);
INSERT INTO event_receipts (tenant_id, idempotency_key, body_sha256, delivery_ids) VALUES ('acme', 'k', 'x', '{dlv_1}');
INSERT INTO deliveries (delivery_id, tenant_id, key_id, room_id, room_key, event_type, outbox_id)
  VALUES ('dlv_1', 'acme', gen_random_uuid(), '!r', 'r', 'deal.closed', 1);
INSERT INTO integration_keys (tenant_id, name, prefix, secret_sha256, scopes) VALUES ('acme', 'k', 'bxi_', 'x', '{}');
INSERT INTO jobs (job_id, tenant_id, revision) VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 1);
INSERT INTO job_effects (job_id, tenant_id, position, effect_id, kind)
  VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 0, 'e', 'JoinUser');
INSERT INTO lanes (queue, lane_key, tenant_id, pending, attempts) VALUES ('inbox', '!r', 'acme', 1, 3),
  ('inbox', '!unknown', NULL, 0, 0), ('outbox', '!r', 'acme', 2, 0), ('reconcile', 'acme', 'acme', 1, 0);
INSERT INTO audit_heads VALUES ('acme', 1, 'x');
INSERT INTO audit_log VALUES ('acme', 1, '{}', 'x', 'x');
INSERT INTO audit_personal VALUES ('acme', 1, 'name', 'x', 'Ben');
"""


@pytest.fixture
async def old(own_postgres: Postgres) -> AsyncIterator[OwnDatabase]:
    """A database of the first version at work."""
    async with fresh_database(own_postgres, template="bare") as database:
        first = migrations()[0]
        owner = await asyncpg.connect(database.url("bitnexus_owner"))
        try:
            await owner.execute(first.sql)
            await owner.execute(
                "CREATE TABLE schema_migrations"
                " (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            await owner.execute(
                "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", first.number, first.name
            )
        finally:
            await owner.close()
        root = await asyncpg.connect(database.url(SUPERUSER))
        try:
            await root.execute(FIRST_VERSION)
        finally:
            await root.close()
        yield database


async def tables(database: OwnDatabase) -> dict[str, int]:
    names = await database.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {row["relname"]: await database.ask(f"SELECT count(*) FROM {row['relname']}") for row in names}  # noqa: S608


async def test_the_first_version_has_a_row_in_each_of_its_tables(old: OwnDatabase) -> None:
    assert [name for name, count in (await tables(old)).items() if count == 0] == []


async def test_no_row_is_lost_and_what_waited_goes_on(old: OwnDatabase) -> None:
    before = await tables(old)
    assert await migrate(old.url("bitnexus_owner")) == [step.name for step in migrations()[1:]]
    after = await tables(old)
    grown = {"schema_migrations": len(migrations())}
    assert {name: after[name] for name in before} == before | grown
    assert await old.drifted() == []

    # the message that came before stands after those that were there, and before one that comes now
    await old.receive(old.event(ROOM, 4000, "fourth"))
    for lane in await old.claim("inbox"):
        assert lane.lane_key == ROOM
        assert await HandleMatrixEvents(database=old.database, house=HOUSE)(lane) == 2
    said = await old.rows("SELECT content ->> 'body' AS body FROM chat_messages ORDER BY position")
    assert [row["body"] for row in said] == ["first", "second", "third", "fourth"]


async def test_a_message_that_was_under_way_is_known_by_its_echo_and_told_to_its_integration(old: OwnDatabase) -> None:
    await migrate(old.url("bitnexus_owner"))
    lane = await old.claim_one("outbox")
    async with old.database.work(ACME) as work:
        items = await work.outbox.take_up(lane, limit=20)
        assert [(item.kind, item.delivery_id, item.attempts, item.failures) for item in items] == [
            ("send", "dlv_1", 1, 0),
            ("answer", None, 0, 0),
        ]
        echo = old.event(ROOM, 5, event_id=EventID("$sent"), sender=BOTS.relay)
        assert await work.outbox.acknowledge_echo(echo, DeliveryID("dlv_1"))
        delivery = await work.outbox.find_delivery(DeliveryID("dlv_1"))
        assert delivery is not None
        assert (delivery.state, delivery.event_id) == ("delivered", "$sent")
        await work.outbox.finish(lane, items[1].outbox_id, Sent(event_id=EventID("$answer")))
    assert await old.drifted() == []


async def test_state_of_the_first_version_gives_way_to_newer_state_only(old: OwnDatabase) -> None:
    await migrate(old.url("bitnexus_owner"))

    async def record(number: int, name: str, ts: int) -> None:
        more: dict[str, Any] = {"event_type": "m.room.name", "state_key": "", "content": {"name": name}}
        async with old.database.work(ACME) as work:
            await work.rooms.record_state([old.event(ROOM, number, origin_server_ts=ts, **more)])

    await record(1, "older", 400)
    assert await old.ask("SELECT name FROM chat_rooms") == "General"
    await record(2, "newer", 600)
    assert await old.ask("SELECT name FROM chat_rooms") == "newer"


async def test_stray_events_of_the_first_version_come_back(old: OwnDatabase) -> None:
    await migrate(old.url("bitnexus_owner"))
    async with old.database.work(ACME) as work:
        await work.inbox.recall(RoomID("!unknown"))
    assert {lane.lane_key for lane in await old.claim("inbox")} == {"!r", "!unknown"}


async def test_migrating_again_changes_nothing(old: OwnDatabase) -> None:
    await migrate(old.url("bitnexus_owner"))
    assert await migrate(old.url("bitnexus_owner")) == []
