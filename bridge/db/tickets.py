"""Support tickets of one tenant."""

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

import asyncpg

from bridge.db.connection import Connection
from bridge.model.ids import EventID, MemberID, RoomID, TenantID, TicketID, UserID
from bridge.model.tenant import Audience, Role
from bridge.model.ticket import Ticket, TicketFigures, TicketLine, TicketQuery, TicketStatus

_COLUMNS: Final = (
    "t.ticket_id, t.number, t.room_key, t.subject, t.audience, t.status, t.opener, t.assignee, t.opened_at,"
    " t.first_reply_at, t.waiting_since, t.closed_at, t.closed_by, t.reopened, t.satisfaction, t.question_id,"
    " t.revision"
)
_LINES: Final = (
    f"SELECT {_COLUMNS}, c.id AS room_id, m.unread, m.last_message_at FROM tickets t"  # noqa: S608 - a literal of ours
    " LEFT JOIN chat_rooms c ON c.tenant_id = t.tenant_id AND c.key = t.room_key"
    " LEFT JOIN LATERAL (SELECT coalesce((SELECT max(own.position) FROM chat_messages own"
    "   WHERE own.tenant_id = $1 AND own.room_id = c.id AND (own.user_id = $2 OR own.id = (SELECT r.message_id"
    "    FROM chat_message_reads r WHERE r.tenant_id = $1 AND r.room_id = c.id AND r.user_id = $2))), 0) AS read_to"
    "  ) seen ON true"
    " LEFT JOIN LATERAL (SELECT max(created_at) AS last_message_at,"
    "   count(*) FILTER (WHERE user_id <> $2 AND position > seen.read_to) AS unread"
    "  FROM chat_messages WHERE tenant_id = $1 AND room_id = c.id) m ON true"
    " WHERE t.tenant_id = $1"
)


class TicketStore:
    """Implements the port ``Tickets``."""

    def __init__(self, connection: Connection, tenant_id: TenantID) -> None:
        self._connection, self._tenant_id = connection, tenant_id

    async def next_number(self) -> int:
        found: int = await self._connection.fetchval(
            "SELECT coalesce(max(number), 0) + 1 FROM tickets WHERE tenant_id = $1", self._tenant_id
        )
        return found

    async def add(self, ticket: Ticket, *, first_message: str, body_sha256: bytes) -> None:
        await self._connection.execute(
            "INSERT INTO tickets (tenant_id, ticket_id, number, room_key, subject, first_message, audience, opener,"
            " opened_at, body_sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            self._tenant_id,
            ticket.ticket_id,
            ticket.number,
            ticket.room_key,
            ticket.subject,
            first_message,
            ticket.audience.value,
            ticket.opener,
            ticket.opened_at,
            body_sha256,
        )

    async def save(self, ticket: Ticket) -> None:
        await self._connection.execute(
            "UPDATE tickets SET subject = $3, audience = $4, status = $5, assignee = $6, first_reply_at = $7,"
            " waiting_since = $8, closed_at = $9, closed_by = $10, reopened = $11, satisfaction = $12,"
            " question_id = $13, revision = $14 WHERE tenant_id = $1 AND ticket_id = $2",
            self._tenant_id,
            ticket.ticket_id,
            ticket.subject,
            ticket.audience.value,
            ticket.status.value,
            ticket.assignee,
            ticket.first_reply_at,
            ticket.waiting_since,
            ticket.closed_at,
            ticket.closed_by,
            ticket.reopened,
            ticket.satisfaction,
            ticket.question_id,
            ticket.revision,
        )

    async def find(self, ticket_id: TicketID) -> Ticket | None:
        return await self._one("ticket_id = $2", ticket_id)

    async def find_number(self, number: int) -> Ticket | None:
        return await self._one("number = $2", number)

    async def find_in_room(self, room_id: RoomID) -> Ticket | None:
        return await self._one("room_key = (SELECT key FROM chat_rooms WHERE tenant_id = $1 AND id = $2)", room_id)

    async def _one(self, condition: LiteralString, value: str | int) -> Ticket | None:
        # held until the end: a message and a change of the same ticket come one after another
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM tickets t WHERE tenant_id = $1 AND {condition} FOR NO KEY UPDATE",  # noqa: S608 - literals of ours
            self._tenant_id,
            value,
        )
        return _ticket_from(row) if row else None

    async def role_of(self, member_id: MemberID) -> Role | None:
        found = await self._connection.fetchval(
            "SELECT role FROM memberships WHERE tenant_id = $1 AND member_id = $2", self._tenant_id, member_id
        )
        return Role(found) if found else None

    async def body_sha256(self, ticket_id: TicketID) -> bytes | None:
        found: bytes | None = await self._connection.fetchval(
            "SELECT body_sha256 FROM tickets WHERE tenant_id = $1 AND ticket_id = $2", self._tenant_id, ticket_id
        )
        return found

    async def lines(self, query: TicketQuery, *, asker: UserID) -> Sequence[TicketLine]:
        rows = await self._connection.fetch(
            f"{_LINES} AND t.number > $3 AND ($4::text IS NULL OR t.audience = $4 OR t.opener = $5)"
            " AND ($4::text IS NOT NULL OR $5::text IS NULL OR t.opener = $5)"
            " AND ($6::text IS NULL OR t.status = $6) AND ($7::text IS NULL OR t.assignee = $7)"
            " ORDER BY t.number LIMIT $8",
            self._tenant_id,
            asker,
            query.after,
            query.audience.value if query.audience else None,
            query.opener,
            query.status.value if query.status else None,
            query.assignee,
            query.limit,
        )
        return [self._line(row) for row in rows]

    async def lines_of(self, ticket_ids: Sequence[TicketID], *, asker: UserID) -> Sequence[TicketLine]:
        rows = await self._connection.fetch(
            f"{_LINES} AND t.ticket_id = ANY($3) ORDER BY t.number", self._tenant_id, asker, list(ticket_ids)
        )
        return [self._line(row) for row in rows]

    def _line(self, row: asyncpg.Record) -> TicketLine:
        return TicketLine(
            tenant_id=self._tenant_id,
            ticket=_ticket_from(row),
            room_id=RoomID(row["room_id"]) if row["room_id"] else None,
            unread=row["unread"],
            last_message_at=row["last_message_at"],
        )

    async def figures(self, *, days: int) -> TicketFigures:
        counts = await self._connection.fetch(
            "SELECT status, count(*) AS found FROM tickets WHERE tenant_id = $1 GROUP BY status", self._tenant_id
        )
        row = await self._connection.fetchrow(
            "SELECT count(*) AS opened, avg(satisfaction)::float8 AS satisfaction,"
            " percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM first_reply_at - opened_at)"
            "  ::float8) AS reply,"
            " percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - opened_at)"
            "  ::float8) AS resolution"
            " FROM tickets WHERE tenant_id = $1 AND opened_at > now() - make_interval(days => $2)",
            self._tenant_id,
            days,
        )
        assert row is not None  # noqa: S101 - an aggregate returns a row
        reply, resolution = row["reply"] or (None, None), row["resolution"] or (None, None)
        return TicketFigures(
            counts={found["status"]: found["found"] for found in counts},
            opened=row["opened"],
            first_reply_median=reply[0],
            first_reply_p90=reply[1],
            resolution_median=resolution[0],
            resolution_p90=resolution[1],
            satisfaction=row["satisfaction"],
        )

    async def take_first_messages(self, relay: UserID) -> Mapping[TicketID, tuple[RoomID, MemberID, str]]:
        """Take the first messages of the rooms that the relay is in; each is taken once."""
        rows = await self._connection.fetch(
            "WITH next AS (SELECT t.ticket_id, c.id, t.opener, t.first_message FROM tickets t JOIN chat_rooms c"
            "  ON c.tenant_id = t.tenant_id AND c.key = t.room_key JOIN chat_room_members m ON m.room_id = c.id"
            "  WHERE t.tenant_id = $1 AND t.first_message IS NOT NULL AND m.user_id = $2 AND m.membership = 'join'"
            "  ORDER BY c.id FOR UPDATE OF t)"
            " UPDATE tickets t SET first_message = NULL FROM next WHERE t.tenant_id = $1"
            " AND t.ticket_id = next.ticket_id RETURNING next.*",
            self._tenant_id,
            relay,
        )
        return {row["ticket_id"]: (row["id"], row["opener"], row["first_message"]) for row in rows}

    async def unassign(self, member_id: MemberID) -> Sequence[Ticket]:
        """Take open tickets of the team from somebody, and return them."""
        rows = await self._connection.fetch(
            "UPDATE tickets t SET assignee = NULL, revision = revision + 1"  # noqa: S608 - as above
            f" WHERE tenant_id = $1 AND assignee = $2 AND status <> 'closed' RETURNING {_COLUMNS}",
            self._tenant_id,
            member_id,
        )
        return [_ticket_from(row) for row in rows]

    async def is_answer_to_question(self, event_id: EventID, ticket: Ticket) -> bool:
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM chat_messages WHERE tenant_id = $1 AND id = $2"
            " AND content ->> 'com.bitnexus.delivery_id' = $3)",
            self._tenant_id,
            event_id,
            ticket.question_id,
        )
        return found

    async def forget_words(self, member_id: MemberID) -> None:
        await self._connection.execute(
            "UPDATE tickets SET subject = '', first_message = NULL WHERE tenant_id = $1 AND opener = $2",
            self._tenant_id,
            member_id,
        )


def _ticket_from(row: asyncpg.Record) -> Ticket:
    return Ticket(
        ticket_id=row["ticket_id"],
        number=row["number"],
        room_key=row["room_key"],
        subject=row["subject"],
        audience=Audience(row["audience"]),
        status=TicketStatus(row["status"]),
        opener=row["opener"],
        assignee=row["assignee"],
        opened_at=row["opened_at"],
        first_reply_at=row["first_reply_at"],
        waiting_since=row["waiting_since"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        reopened=row["reopened"],
        satisfaction=row["satisfaction"],
        question_id=row["question_id"],
        revision=row["revision"],
    )
