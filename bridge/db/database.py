"""Transactions: each sees one tenant, and one that changes something must leave an audit row."""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from bridge.db.alliance_tasks import AllianceTaskStore
from bridge.db.alliances import AllianceStore
from bridge.db.audit import append_audit
from bridge.db.connection import Connection, Pool, connection_of
from bridge.db.erasures import ErasureStore
from bridge.db.inbox import InboxStore
from bridge.db.jobs import JobStore
from bridge.db.keys import KeyStore
from bridge.db.messages import MessageStore
from bridge.db.outbox import OutboxStore
from bridge.db.people import PeopleStore, person_from
from bridge.db.person_tasks import PersonTaskStore
from bridge.db.rooms import RoomStore
from bridge.db.tenant_events import TenantEventStore
from bridge.db.tenants import Elsewhere, TenantStore
from bridge.db.tickets import TicketStore
from bridge.errors import DependencyDown, InvalidInput
from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationCredential
from bridge.model.ids import SPACE, AllianceID, JobID, MemberID, RoomID, RoomKey, TenantID, TicketID, UserID
from bridge.model.job import TenantDue
from bridge.model.room import Bots
from bridge.model.standing import Standing
from bridge.model.tenant import Person, Role, TenantRole, TenantStatus, TenantSummary
from bridge.model.ticket import TicketStatus
from bridge.ports import Clock, Queue

_MOST_DUE = 200  # tenants that are looked after at a time


class MissingAuditRow(RuntimeError):
    """A transaction of ours changed state and left no audit row: a mistake of the program, undone."""


class TenantWork:
    """A transaction that sees one tenant; implements the port ``Work``."""

    def __init__(
        self,
        connection: Connection,
        tenant_id: TenantID,
        bots: Bots,
        elsewhere: Elsewhere,
        *,
        clock: Clock,
        woken: set[Queue] | None = None,
    ) -> None:
        self._connection, self._tenant_id, self._bots, self._elsewhere = connection, tenant_id, bots, elsewhere
        self._clock = clock
        self.woken: set[Queue] = set() if woken is None else woken
        self.person_tasks = PersonTaskStore(connection, tenant_id, self.woken)
        alliance_tasks = AllianceTaskStore(connection, tenant_id, self.woken)
        self.tenants = TenantStore(connection, tenant_id, elsewhere, self.person_tasks, alliance_tasks)
        self.alliances = AllianceStore(connection, tenant_id, alliance_tasks)
        self.rooms = RoomStore(connection, tenant_id, bots)
        self.messages = MessageStore(connection, tenant_id)
        self.outbox = OutboxStore(connection, tenant_id, self.woken)
        self.jobs = JobStore(connection, tenant_id, self.woken)
        self.keys = KeyStore(connection, tenant_id)
        self.people = PeopleStore(connection, self.person_tasks)
        self.inbox = InboxStore(connection, self.woken)
        self.erasures = ErasureStore(connection, tenant_id)
        self.events = TenantEventStore(connection, tenant_id)
        self.tickets = TicketStore(connection, tenant_id)

    def on_behalf_of(self, actor: Actor) -> "TenantAct":
        """Return this same transaction as one that changes something; it wakes whom this one wakes."""
        return TenantAct(
            self._connection,
            self._tenant_id,
            self._bots,
            self._elsewhere,
            actor=actor,
            clock=self._clock,
            woken=self.woken,
        )

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None, None]:
        """Undo only what the block did when it raises; a savepoint that is not needed ends with the transaction."""
        await self._connection.execute("SAVEPOINT block")
        try:
            yield
        except BaseException as error:
            await self._connection.execute("ROLLBACK TO SAVEPOINT block")
            if isinstance(error, asyncpg.DataError):
                raise InvalidInput(f"the database cannot hold this: {error}") from error
            raise


class TenantAct(TenantWork):
    """A transaction on somebody's behalf; implements the port ``Act``."""

    def __init__(
        self,
        connection: Connection,
        tenant_id: TenantID,
        bots: Bots,
        elsewhere: Elsewhere,
        *,
        actor: Actor,
        clock: Clock,
        woken: set[Queue] | None = None,
    ) -> None:
        super().__init__(connection, tenant_id, bots, elsewhere, clock=clock, woken=woken)
        self._actor = actor
        self.is_accounted_for = False

    async def audit(self, *entries: AuditEntry) -> None:
        await append_audit(self._connection, self._tenant_id, self._actor, entries, now=self._clock.now())
        self.is_accounted_for = True

    def nothing_changed(self) -> None:
        self.is_accounted_for = True


class PostgresDatabase:
    """The application's pool under row-level security, and the narrow one across tenants."""

    def __init__(self, app: Pool, system: Pool, *, bots: Bots, clock: Clock, wake: Callable[[Queue], None]) -> None:
        self._app, self._system, self._bots, self._clock, self._wake = app, system, bots, clock, wake

    @asynccontextmanager
    async def work(self, tenant_id: TenantID) -> AsyncGenerator[TenantWork, None]:
        """Open a transaction of the bridge's own bookkeeping, and wake the workers once it is committed."""
        async with self._transaction(tenant_id) as connection:
            work = TenantWork(connection, tenant_id, self._bots, self._members_elsewhere, clock=self._clock)
            yield work
        self._ring(work)

    @asynccontextmanager
    async def act(self, tenant_id: TenantID, actor: Actor) -> AsyncGenerator[TenantAct, None]:
        """Open a transaction on behalf of ``actor``; without an audit row it is undone."""
        async with self._transaction(tenant_id) as connection:
            act = TenantAct(connection, tenant_id, self._bots, self._members_elsewhere, actor=actor, clock=self._clock)
            yield act
            if not act.is_accounted_for:
                raise MissingAuditRow(f"an act of {actor.kind} on a tenant left no audit row")
        self._ring(act)

    @asynccontextmanager
    async def _transaction(self, tenant_id: TenantID) -> AsyncGenerator[Connection, None]:
        """Begin a transaction that sees one tenant, in one round trip.

        Statements that go together cannot have parameters; so the tenant's id stands in them as hexadecimal digits,
        which can say nothing but the id.
        """
        named = f"convert_from('\\x{tenant_id.encode().hex()}', 'UTF8')"
        async with connection_of(self._app) as connection:
            await connection.execute(f"BEGIN; SELECT set_config('bitnexus.tenant_id', {named}, true)")
            try:
                yield connection
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

    def _ring(self, work: TenantWork) -> None:
        for queue in work.woken:
            self._wake(queue)

    async def is_ready(self) -> bool:
        """Say whether both roles can ask PostgreSQL something now."""
        try:
            async with connection_of(self._app) as app, connection_of(self._system) as system:
                await app.execute("SELECT 1")
                await system.execute("SELECT 1")
        except DependencyDown:
            return False
        return True

    async def list_tenants(self, *, after: TenantID | None, limit: int) -> Sequence[TenantSummary]:
        """Return tenants in the order of their ids, those behind ``after``."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                'SELECT tenant_id, name, status FROM tenants WHERE tenant_id > $1 COLLATE "C"'
                ' ORDER BY tenant_id COLLATE "C" LIMIT $2',
                after or "",
                limit,
            )
        return [
            TenantSummary(tenant_id=row["tenant_id"], name=row["name"], status=TenantStatus(row["status"]))
            for row in rows
        ]

    async def tenants_due(self, *, verify_seconds: float, look_seconds: float) -> Sequence[TenantDue]:
        """Return tenants that do not stand as desired, as far as we know, and some that were not read for long.

        Tenants are read in turn, so many each time that all of them have been within ``verify_seconds``.
        """
        async with connection_of(self._system) as connection:
            unsettled = await connection.fetch(
                "SELECT t.tenant_id FROM tenants t LEFT JOIN tenant_upkeep k USING (tenant_id)"
                " WHERE t.status <> 'removed' AND coalesce(k.retry_at, '-infinity') <= now()"
                " AND (k.retry_at IS NOT NULL OR t.revision IS DISTINCT FROM k.settled_revision"
                "  AND t.updated_at < now() - make_interval(secs => $1)) LIMIT $2",
                look_seconds,
                _MOST_DUE,
            )
            unread = await connection.fetch(
                "SELECT tenant_id FROM tenant_upkeep JOIN tenants USING (tenant_id)"
                " WHERE verified_at < now() - make_interval(secs => $1) AND status <> 'removed'"
                " ORDER BY verified_at LIMIT (SELECT greatest(1, ceil(count(*) * $2::float8 / $1)) FROM tenant_upkeep)",
                verify_seconds,
                look_seconds,
            )
        reading = {row["tenant_id"] for row in unread}
        return [
            *(TenantDue(tenant_id=tenant_id, verify=True) for tenant_id in sorted(reading)),
            *(TenantDue(tenant_id=t["tenant_id"], verify=False) for t in unsettled if t["tenant_id"] not in reading),
        ]

    async def known_rooms(self, room_ids: Sequence[RoomID]) -> frozenset[RoomID]:
        """Return those of the rooms that are some tenant's."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch("SELECT id FROM chat_rooms WHERE id = ANY($1)", list(room_ids))
        return frozenset(row["id"] for row in rows)

    async def tenant_of_room(self, room_id: RoomID) -> TenantID | None:
        """Return whose room it is; None when it is none of ours."""
        async with connection_of(self._system) as connection:
            found: str | None = await connection.fetchval("SELECT tenant_id FROM chat_rooms WHERE id = $1", room_id)
        return TenantID(found) if found else None

    async def tenant_of_job(self, job_id: JobID) -> TenantID | None:
        """Return whose job it is."""
        async with connection_of(self._system) as connection:
            found: str | None = await connection.fetchval("SELECT tenant_id FROM jobs WHERE job_id::text = $1", job_id)
        return TenantID(found) if found else None

    async def tenants_of_person(self, member_id: MemberID) -> Sequence[TenantRole]:
        """Return the active tenants that a person belongs to."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT t.tenant_id, t.name, m.role, r.id AS space_id"
                " FROM memberships m JOIN tenants t USING (tenant_id)"
                " LEFT JOIN chat_rooms r ON r.tenant_id = t.tenant_id AND r.key = $2"
                " WHERE m.member_id = $1 AND t.status = 'active' ORDER BY t.tenant_id",
                member_id,
                SPACE,
            )
        return [
            TenantRole(tenant_id=row["tenant_id"], name=row["name"], role=Role(row["role"]), space_id=row["space_id"])
            for row in rows
        ]

    async def suspended_tenants_of(self, member_ids: Collection[MemberID]) -> Sequence[TenantID]:
        """Return the suspended tenants that any of these people belong to."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT tenant_id FROM tenants t WHERE status = 'suspended' AND EXISTS"
                " (SELECT FROM memberships m WHERE m.tenant_id = t.tenant_id AND m.member_id = ANY($1))"
                " ORDER BY tenant_id",
                list(member_ids),
            )
        return [TenantID(row["tenant_id"]) for row in rows]

    async def tenants_to_remove(self, now: datetime) -> Sequence[TenantID]:
        """Return the tenants whose time of grace is over and which are not removed yet."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT tenant_id FROM tenants WHERE removes_at <= $1 AND status <> 'removed' ORDER BY removes_at", now
            )
        return [TenantID(row["tenant_id"]) for row in rows]

    async def tenant_ids_of_person(self, member_id: MemberID) -> Sequence[TenantID]:
        """Return every tenant that a person belongs to, whatever its status."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT tenant_id FROM memberships WHERE member_id = $1 ORDER BY tenant_id", member_id
            )
        return [TenantID(row["tenant_id"]) for row in rows]

    async def hosts_of_person(self, member_id: MemberID) -> Sequence[TenantID]:
        """Return the tenants in whose alliances a partner has chosen this person."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT DISTINCT a.tenant_id FROM alliance_members m JOIN alliances a USING (alliance_id)"
                " WHERE m.member_id = $1 AND m.tenant_id = a.partner_tenant_id AND a.state <> 'ended' ORDER BY 1",
                member_id,
            )
        return [TenantID(row["tenant_id"]) for row in rows]

    async def sides_of_alliance(self, alliance_id: AllianceID) -> tuple[TenantID, TenantID] | None:
        """Return owner and partner of an alliance."""
        async with connection_of(self._system) as connection:
            row = await connection.fetchrow(
                "SELECT tenant_id, partner_tenant_id FROM alliances WHERE alliance_id = $1", alliance_id
            )
        return (TenantID(row["tenant_id"]), TenantID(row["partner_tenant_id"])) if row else None

    async def present_members(self, tenant_id: TenantID, member_ids: Collection[MemberID]) -> frozenset[MemberID]:
        """Return those of these people who are in a tenant; nobody while it is not active."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT m.member_id FROM memberships m JOIN tenants t USING (tenant_id)"
                " WHERE t.tenant_id = $1 AND t.status = 'active' AND m.member_id = ANY($2)",
                tenant_id,
                list(member_ids),
            )
        return frozenset(row["member_id"] for row in rows)

    async def standings(self, member_ids: Collection[MemberID]) -> Sequence[Standing]:
        """Return the facts that decide whether people may use anything; those who are no longer known are left out."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT u.member_id, u.matrix_id, u.registered, u.status, u.super_admin,"
                " coalesce(s.expired, false) AS is_expired,"
                " coalesce(bool_or(t.status = 'active'), false) AS has_active_tenant,"
                " coalesce(array_agg(t.tenant_id) FILTER (WHERE t.status = 'suspended'), '{}') AS suspended_tenants"
                " FROM users u LEFT JOIN standings s USING (member_id) LEFT JOIN memberships m USING (member_id)"
                " LEFT JOIN tenants t USING (tenant_id) WHERE u.member_id = ANY($1)"
                " GROUP BY u.member_id, u.matrix_id, u.registered, u.status, u.super_admin, s.expired"
                " ORDER BY u.member_id",
                list(member_ids),
            )
        return [
            Standing(
                member_id=row["member_id"],
                user_id=row["matrix_id"],
                is_registered=row["registered"],
                is_active=row["status"] == "active",
                is_super_admin=row["super_admin"],
                has_active_tenant=row["has_active_tenant"],
                suspended_tenants=tuple(TenantID(tenant_id) for tenant_id in row["suspended_tenants"]),
                is_expired=row["is_expired"],
            )
            for row in rows
        ]

    async def _members_elsewhere(self, tenant_id: TenantID) -> frozenset[MemberID]:
        """Return the members of a tenant who may use something else: another tenant that is active, or all as staff."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT m.member_id FROM memberships m JOIN users u USING (member_id) WHERE m.tenant_id = $1"
                " AND (u.super_admin OR EXISTS (SELECT FROM memberships o JOIN tenants t USING (tenant_id)"
                "  WHERE o.member_id = m.member_id AND o.tenant_id <> $1 AND t.status = 'active'))",
                tenant_id,
            )
        return frozenset(row["member_id"] for row in rows)

    async def allowed_origins(self, member_id: MemberID | None) -> frozenset[str]:
        """Return the web origins that the active tenants of a person allow, or those of all active tenants."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT DISTINCT jsonb_array_elements_text(t.settings -> 'allowed_origins') AS origin FROM tenants t"
                " WHERE t.status = 'active' AND ($1::text IS NULL OR EXISTS"
                " (SELECT FROM memberships m WHERE m.tenant_id = t.tenant_id AND m.member_id = $1))",
                member_id,
            )
        return frozenset(row["origin"] for row in rows)

    async def staff_tickets(
        self, *, status: TicketStatus | None, assignee: MemberID | None, after: TicketID | None, limit: int
    ) -> Sequence[tuple[TenantID, TicketID]]:
        """Return the tickets of all tenants that ask BitNexus's staff, the oldest first."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT t.tenant_id, t.ticket_id FROM tickets t WHERE t.audience = 'bitnexus'"
                " AND ($1::text IS NULL OR t.status = $1) AND ($2::text IS NULL OR t.assignee = $2)"
                " AND ($3::text IS NULL OR (t.opened_at, t.ticket_id) > (SELECT a.opened_at, a.ticket_id FROM tickets a"
                "  WHERE a.audience = 'bitnexus' AND a.ticket_id = $3))"
                " ORDER BY t.opened_at, t.ticket_id LIMIT $4",
                status.value if status else None,
                assignee,
                after,
                limit,
            )
        return [(TenantID(row["tenant_id"]), TicketID(row["ticket_id"])) for row in rows]

    async def tenants_with_staff_tickets(self) -> Sequence[TenantID]:
        """Return the tenants that have asked BitNexus's staff something."""
        async with connection_of(self._system) as connection:
            rows = await connection.fetch(
                "SELECT DISTINCT tenant_id FROM tickets WHERE audience = 'bitnexus' ORDER BY tenant_id"
            )
        return [TenantID(row["tenant_id"]) for row in rows]

    async def person_of_user(self, user_id: UserID) -> Person | None:
        """Return the person behind a Matrix id; None when it is nobody of ours."""
        async with connection_of(self._app) as connection:
            row = await connection.fetchrow("SELECT * FROM users WHERE matrix_id = $1", user_id)
        return person_from(row) if row else None

    async def find_integration(self, secret_sha256: bytes) -> IntegrationCredential | None:
        """Return what an integration key may do, if it is valid now."""
        async with connection_of(self._system) as connection:
            row = await connection.fetchrow(
                "SELECT k.key_id::text, k.tenant_id, k.scopes, k.room_keys FROM integration_keys k"
                " JOIN tenants t USING (tenant_id)"
                " WHERE k.secret_sha256 = $1 AND k.revoked_at IS NULL AND t.status = 'active'"
                " AND (k.expires_at IS NULL OR k.expires_at > now())",
                secret_sha256,
            )
        if row is None:
            return None
        room_keys = None if row["room_keys"] is None else frozenset(RoomKey(key) for key in row["room_keys"])
        return IntegrationCredential(
            key_id=row["key_id"], tenant_id=row["tenant_id"], scopes=frozenset(row["scopes"]), room_keys=room_keys
        )
