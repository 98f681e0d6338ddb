"""How the queues, letters and roles stand, for the doctor and the metrics; and lanes counted anew."""

from collections.abc import Collection, Sequence
from typing import cast

from bridge.db.connection import Connection, Pool, connection_of, rows_of
from bridge.db.schema import GLOBAL_TABLES
from bridge.model.health import (
    Backlog,
    DeadLetter,
    DeadLetters,
    DriftedLane,
    FailedReconcile,
    Quarantined,
    QueueFigures,
    QueueName,
    RoleFacts,
    StrayEvents,
    TroubledLane,
    WeakRoom,
)
from bridge.model.ids import EventID, RoomID
from bridge.model.room import Bots
from bridge.model.stream import StreamName

QUEUES: tuple[QueueName, ...] = ("inbox", "outbox", "reconcile", "people")

_BELL = "bitnexus-chat-bell"
_RECENT_DAYS = 7
_LONGEST_ERROR = 300


class HealthStore:
    """Counts across tenants by the narrow role, which sees no content; each call is a statement of its own."""

    def __init__(self, system: Pool) -> None:
        self._system = system

    async def queues(self) -> Sequence[QueueFigures]:
        """Return how each queue stands."""
        async with connection_of(self._system) as connection:
            return await _queues(connection)

    async def backlog(self) -> Backlog:
        """Return what the metrics show."""
        async with connection_of(self._system) as connection:
            queues = await _queues(connection)
            row = await connection.fetchrow(
                "SELECT (SELECT count(*) FROM outbox WHERE state = 'dead') AS dead,"
                " (SELECT count(*) FROM quarantine) AS quarantined,"
                " (SELECT count(*) FROM inbox WHERE stray AND handled_at IS NULL) AS stray"
            )
            rows = await connection.fetch("SELECT name, position FROM stream_positions")
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row
        positions: dict[StreamName, int] = {found["name"]: found["position"] for found in rows}
        return Backlog(
            queues=tuple(queues),
            dead_letters=row["dead"],
            quarantined=row["quarantined"],
            stray=row["stray"],
            positions=positions,
        )

    async def troubled_lanes(self) -> Sequence[TroubledLane]:
        """Return the lanes whose head failed, the worst first; a thousand at most."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT queue, lane_key, tenant_id, attempts, faults, left(error, $1) AS error FROM lanes"
                " WHERE pending > 0 AND error IS NOT NULL ORDER BY faults DESC, attempts DESC LIMIT 1000",
                _LONGEST_ERROR,
            )
        return [TroubledLane(**dict(row)) for row in rows]

    async def drifted_lanes(self) -> Sequence[DriftedLane]:
        """Return the lanes whose counter is not the number of their items; a thousand at most."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT queue, lane_key, coalesce(l.tenant_id, i.tenant_id) AS tenant_id,"
                " coalesce(l.pending, 0) AS counted, coalesce(i.items, 0) AS actual"
                " FROM lanes l FULL JOIN lane_items i USING (queue, lane_key)"
                " WHERE coalesce(l.pending, 0) <> coalesce(i.items, 0) ORDER BY queue, lane_key LIMIT 1000"
            )
        return [DriftedLane(**dict(row)) for row in rows]

    async def dead_letters(self, *, newest: int) -> Sequence[DeadLetters]:
        """Return the dead letters by tenant, with the ``newest`` of each."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT tenant_id, count(*) AS total,"
                " count(*) FILTER (WHERE finished_at > now() - make_interval(days => $1)) AS recent,"
                " count(*) FILTER (WHERE finished_at > now() - interval '1 hour') AS last_hour"
                " FROM outbox WHERE state = 'dead' GROUP BY tenant_id ORDER BY recent DESC, tenant_id LIMIT 1000",
                _RECENT_DAYS,
            )
            letters = await connection.fetch(
                "SELECT o.* FROM unnest($1::text[]) AS t(tenant_id) CROSS JOIN LATERAL ("
                " SELECT outbox_id, tenant_id, room_id, left(coalesce(error, ''), $3) AS error,"
                "  extract(epoch FROM now() - finished_at)::float8 AS age_seconds"
                " FROM outbox WHERE tenant_id = t.tenant_id AND state = 'dead' ORDER BY outbox_id DESC LIMIT $2) o",
                [row["tenant_id"] for row in rows],
                newest,
                _LONGEST_ERROR,
            )
        found: dict[str, list[DeadLetter]] = {row["tenant_id"]: [] for row in rows}
        for row in letters:
            fields = dict(row)
            found[fields.pop("tenant_id")].append(DeadLetter(**fields))
        return [DeadLetters(**dict(row), newest=tuple(found[row["tenant_id"]])) for row in rows]

    async def failed_reconciles(self) -> Sequence[FailedReconcile]:
        """Return the tenants whose last finished job failed; a thousand at most."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT tenant_id, job_id::text AS job_id, left(coalesce(error, ''), $1) AS error,"
                " extract(epoch FROM now() - finished_at)::float8 AS age_seconds"
                " FROM (SELECT DISTINCT ON (tenant_id) * FROM"
                "  (SELECT tenant_id, job_id, state, error, finished_at FROM jobs WHERE finished_at IS NOT NULL) j"
                "  ORDER BY tenant_id, finished_at DESC) last WHERE state = 'failed' ORDER BY tenant_id LIMIT 1000",
                _LONGEST_ERROR,
            )
        return [FailedReconcile(**dict(row)) for row in rows]

    async def weak_rooms(self, bots: Bots) -> Sequence[WeakRoom]:
        """Return the rooms in which our creator lacks power or is no member; a thousand at most.

        As the read model has them. From room version 12 on a creator's power has no level. A direct chat it has left.
        """
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(_WEAK_ROOMS, bots.creator, list(bots.all))
        return [WeakRoom(**dict(row)) for row in rows]

    async def quarantined(self, *, newest: int) -> Quarantined:
        """Return what could not be taken in, with the ``newest`` of it."""
        async with connection_of(self._system) as connection:
            row = await connection.fetchrow(
                "SELECT count(*) AS total,"
                " count(*) FILTER (WHERE received_at > now() - make_interval(days => $1)) AS recent FROM quarantine",
                _RECENT_DAYS,
            )
            rows = await connection.fetch(
                "SELECT quarantine_id, left(error, $2) AS error FROM quarantine ORDER BY quarantine_id DESC LIMIT $1",
                newest,
                _LONGEST_ERROR,
            )
        assert row is not None  # noqa: S101 - count(*) has one row
        return Quarantined(
            total=row["total"],
            recent=row["recent"],
            newest=tuple((found["quarantine_id"], found["error"]) for found in rows),
        )

    async def stray(self, *, rooms: int) -> StrayEvents:
        """Return the events of unknown rooms, and the ``rooms`` that have waited longest."""
        async with connection_of(self._system) as connection:
            row = await connection.fetchrow(
                "SELECT count(*) AS total,"
                " coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 AS oldest_seconds"
                " FROM inbox WHERE stray AND handled_at IS NULL"
            )
            rows = await connection.fetch(
                "SELECT room_id FROM inbox WHERE stray AND handled_at IS NULL"
                " GROUP BY room_id ORDER BY min(received_at) LIMIT $1",
                rooms,
            )
        assert row is not None  # noqa: S101 - count(*) has one row
        return StrayEvents(**dict(row), rooms=tuple(RoomID(found["room_id"]) for found in rows))

    async def positions(self) -> Sequence[tuple[StreamName, int, float]]:
        """Return each stream's position, and how many seconds ago it last moved."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT name, position, extract(epoch FROM now() - checked_at)::float8 AS age FROM stream_positions"
            )
        return [(cast("StreamName", row["name"]), row["position"], row["age"]) for row in rows]

    async def role(self) -> RoleFacts:
        """Return what the narrow role may do."""
        return await role_of(self._system)

    async def processes(self) -> int:
        """Return how many bridges are connected, on whatever machine: each listens with one connection of its own."""
        async with connection_of(self._system) as connection:
            return int(
                await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", _BELL)
            )


async def _queues(connection: Connection) -> list[QueueFigures]:
    rows = await connection.fetch(
        "SELECT queue, count(i.items) AS lanes_waiting, coalesce(sum(i.items), 0)::bigint AS pending,"
        " count(*) FILTER (WHERE l.lease_until > now()) AS lanes_held,"
        " coalesce(extract(epoch FROM now() - min(i.since)), 0)::float8 AS oldest_seconds"
        " FROM lanes l FULL JOIN lane_items i USING (queue, lane_key) GROUP BY queue"
    )
    found = {row["queue"]: QueueFigures(**dict(row)) for row in rows}
    return [found.get(queue) or _idle(queue) for queue in QUEUES]


def _idle(queue: QueueName) -> QueueFigures:
    return QueueFigures(queue=queue, lanes_waiting=0, lanes_held=0, pending=0, oldest_seconds=0.0)


_WEAK_ROOMS = """
    SELECT tenant_id, room_key, room_id, power, needed, rivals FROM (
      SELECT r.tenant_id, r.key AS room_key, r.id AS room_id,
        CASE WHEN m.membership = 'join' THEN coalesce((l.content #> ARRAY['users', $1])::int, l.usual) END AS power,
        greatest(coalesce((l.content -> 'state_default')::int, 50), coalesce((l.content -> 'kick')::int, 50),
          coalesce((l.content -> 'ban')::int, 50), coalesce((l.content -> 'invite')::int, 0),
          (SELECT max(level::int) FROM jsonb_each_text(l.content -> 'events') AS e(name, level))) AS needed,
        greatest(l.usual, (SELECT max(level::int) FROM jsonb_each_text(l.content -> 'users') AS u(id, level)
          WHERE id <> ALL ($2))) AS rivals,
        (c.content ->> 'room_version')::int >= 12 AS is_unlimited
      FROM chat_rooms r
      JOIN room_state c ON c.room_id = r.id AND c.event_type = 'm.room.create' AND c.state_key = ''
      JOIN LATERAL (SELECT content, coalesce((content -> 'users_default')::int, 0) AS usual FROM room_state
        WHERE room_id = r.id AND event_type = 'm.room.power_levels' AND state_key = '') l ON true
      LEFT JOIN chat_room_members m ON m.room_id = r.id AND m.user_id = $1
      WHERE r.type <> 'dm') found
    WHERE power IS NULL OR (NOT is_unlimited AND (power < needed OR power <= rivals))
    ORDER BY tenant_id, room_key LIMIT 1000
"""


async def role_of(pool: Pool) -> RoleFacts:
    """Return what the role of a pool may do, and which of the tenants' tables keep nobody out."""
    async with connection_of(pool) as connection:
        row = await connection.fetchrow(
            "SELECT rolname AS name, rolsuper AS is_superuser, rolbypassrls AS bypasses_row_security,"
            " EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
            "  AND pg_has_role(current_user, c.relowner, 'MEMBER')) AS owns_tables"
            " FROM pg_roles WHERE rolname = current_user"
        )
        exposed = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND NOT (relrowsecurity AND relforcerowsecurity) AND relname <> ALL ($1) ORDER BY relname",
            list(GLOBAL_TABLES),
        )
    assert row is not None  # noqa: S101 - whoever asks has a role
    return RoleFacts(**dict(row), exposed=tuple(found["relname"] for found in exposed))


async def applied_migrations(pool: Pool) -> dict[int, str]:
    """Return the migrations that the database has; none where it has no tables yet."""
    async with connection_of(pool) as connection:
        if await connection.fetchval("SELECT to_regclass('public.schema_migrations')") is None:
            return {}
        rows = await connection.fetch("SELECT number, name FROM schema_migrations")
    return {row["number"]: row["name"] for row in rows}


async def absent_from_inbox(pool: Pool, event_ids: Collection[EventID]) -> frozenset[EventID]:
    """Return those of the events that never came."""
    async with connection_of(pool) as connection:
        rows = await connection.fetch(
            "SELECT id FROM unnest($1::text[]) AS known(id)"
            " WHERE NOT EXISTS (SELECT FROM inbox WHERE event_id = known.id)",
            list(event_ids),
        )
    return frozenset(EventID(row["id"]) for row in rows)


async def recount(app: Pool, lane: DriftedLane) -> bool:
    """Set a lane's counter to the number of its items; False when it was right by now.

    The lane is locked before its items are counted: whoever adds or takes items changes the counter in the same
    transaction, so either we wait for them and see their items, or they wait for us and change what we have set.
    """
    async with connection_of(app) as connection, connection.transaction():
        if lane.tenant_id is not None:
            await connection.execute("SELECT set_config('bitnexus.tenant_id', $1, true)", lane.tenant_id)
        await connection.execute(
            "INSERT INTO lanes (queue, lane_key, tenant_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            lane.queue,
            lane.lane_key,
            lane.tenant_id,
        )
        await connection.fetchval(
            "SELECT pending FROM lanes WHERE queue = $1 AND lane_key = $2 FOR UPDATE", lane.queue, lane.lane_key
        )
        status = await connection.execute(
            "UPDATE lanes l SET pending = i.items FROM (SELECT coalesce(sum(items), 0)::int AS items FROM lane_items"
            " WHERE queue = $1 AND lane_key = $2) i WHERE l.queue = $1 AND l.lane_key = $2 AND l.pending <> i.items",
            lane.queue,
            lane.lane_key,
        )
    return rows_of(status) > 0
