"""A thousand tickets in a tenant: the queue's page, and what one event costs beside a tenant that has none.

The two tenants take turns, and who comes first changes from round to round.
"""

import itertools
import tempfile
import time
from pathlib import Path

from bench.measure import median, milliseconds, paired_order, percentile
from bench.reconcile_fake import Ground, ground
from bench.results import write_results
from bench.tenants import Size, store_wishes, tenant_of
from bridge.actions.handle_matrix_events import HandleMatrixEvents
from bridge.db.inbox import store_transaction
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, RoomID, TenantID, UserID
from bridge.model.tenant import Audience, Tenant
from bridge.model.ticket import TicketQuery

TICKETS, ROUNDS, MESSAGES = 1000, 100, 3
SIZE = Size(rooms=1, members=10)
_HUNDRED = 100.0
_numbers = itertools.count(1)


async def main() -> None:
    """Measure and write the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with ground(Path(folder)) as site:
            await store_wishes(site.owner, range(2), SIZE, site.house, stands=True)
            many, none = (tenant_of(number, SIZE, site.house) for number in range(2))
            await _store_tickets(site, many)
            figures = {
                "tickets": TICKETS,
                "messages_in_each": MESSAGES,
                "rounds": ROUNDS,
                "queue_page_of_50": await _measure_queue(site, many),
                "one_message": await _measure_event(site, many, none, "m.room.message"),
                "one_state_event": await _measure_event(site, many, none, "m.room.topic"),
            }
    write_results("tickets", figures)


async def _store_tickets(site: Ground, tenant: Tenant) -> None:
    """Put the tickets, their rooms and some messages in, a third of them closed."""
    opener = tenant.members[-1]
    async with site.owner.acquire() as connection, connection.transaction():
        for statement in (
            "INSERT INTO tickets (tenant_id, ticket_id, number, room_key, subject, audience, status, opener, opened_at,"
            " body_sha256) SELECT $1, 't' || n, n, 'ticket_t' || n, 'Ticket ' || n, 'team',"
            " (ARRAY['open', 'waiting', 'closed'])[1 + n % 3], $2, now(), '' FROM generate_series(1, $3) AS n",
            "INSERT INTO tenant_rooms (tenant_id, key, position, type, name, access, personal, audience, member_ids,"
            " read_only) SELECT $1, 'ticket_t' || n, n, 'support', '#' || n, 'invite', true, 'team', ARRAY[$2],"
            " n % 3 = 2 FROM generate_series(1, $3) AS n",
        ):
            await connection.execute(statement, tenant.tenant_id, opener.member_id, TICKETS)
        await connection.execute(
            "INSERT INTO chat_rooms (id, tenant_id, key, name, type) SELECT '!t' || n, $1, 'ticket_t' || n, '#' || n,"
            " 'support' FROM generate_series(1, $2) AS n",
            tenant.tenant_id,
            TICKETS,
        )
        await connection.execute(
            "INSERT INTO chat_messages (id, room_id, tenant_id, user_id, content, metadata, created_at, position)"
            " SELECT '$m' || n || '-' || m, '!t' || n, $1, $2, '{\"body\": \"x\"}', '{}', now(), m"
            " FROM generate_series(1, $3) AS n, generate_series(1, $4) AS m",
            tenant.tenant_id,
            opener.user_id,
            TICKETS,
            MESSAGES,
        )
    await site.owner.execute("ANALYZE")


async def _measure_queue(site: Ground, tenant: Tenant) -> dict[str, float]:
    query = TicketQuery(audience=Audience.TEAM, opener=tenant.members[0].member_id, limit=50)
    seconds: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        async with site.database.work(tenant.tenant_id) as work:
            lines = await work.tickets.lines(query, asker=tenant.members[0].user_id)
        seconds.append(time.perf_counter() - began)
        assert [line.unread for line in lines] == [MESSAGES] * 50
    return _figures(seconds)


async def _measure_event(site: Ground, many: Tenant, none: Tenant, event_type: str) -> dict[str, object]:
    taken: dict[TenantID, list[float]] = {many.tenant_id: [], none.tenant_id: []}
    for _, sides in paired_order(ROUNDS):
        for side in sides:
            tenant = many if side == "ours" else none
            taken[tenant.tenant_id].append(await _handle_one(site, tenant, event_type))
    ours, theirs = taken[many.tenant_id], taken[none.tenant_id]
    ratio = round(median(ours) / median(theirs), 2)
    return {"with_tickets": _figures(ours), "without": _figures(theirs), "ratio_of_medians": ratio}


async def _handle_one(site: Ground, tenant: Tenant, event_type: str) -> float:
    number = next(_numbers)
    event = MatrixEvent(
        event_id=EventID(f"$bench{number}"),
        room_id=RoomID(f"!{tenant.tenant_id}-{tenant.rooms[0].key}"),
        event_type=event_type,
        sender=UserID(tenant.members[1].user_id if event_type == "m.room.message" else site.house.bots.creator),
        content={"msgtype": "m.text", "body": "x"} if event_type == "m.room.message" else {"topic": ""},
        origin_server_ts=number + 1,
        state_key=None if event_type == "m.room.message" else "",
    )
    await store_transaction(site.owner, [(event.event_id, event)], [])
    (lane,) = await site.lanes.claim("inbox", limit=1, lease_seconds=60, held={}, most_per_tenant=1)
    began = time.perf_counter()
    await HandleMatrixEvents(database=site.database, house=site.house)(lane)
    seconds = time.perf_counter() - began
    await site.lanes.release(lane)
    return seconds


def _figures(seconds: list[float]) -> dict[str, float]:
    return {
        "median_ms": milliseconds(median(seconds)),
        "p95_ms": milliseconds(percentile(seconds, 0.95 * _HUNDRED)),
    }
