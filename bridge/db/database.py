"""Transactions: each sees one tenant, and one that changes something must leave an audit row."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg

from bridge.db.audit import append_audit
from bridge.db.connection import Connection, Pool, connection_of
from bridge.db.inbox import InboxStore
from bridge.db.jobs import JobStore
from bridge.db.keys import KeyStore
from bridge.db.messages import MessageStore
from bridge.db.outbox import OutboxStore
from bridge.db.people import PeopleStore, person_from
from bridge.db.rooms import RoomStore
from bridge.db.tenants import TenantStore
from bridge.errors import DependencyDown, InvalidInput
from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationCredential
from bridge.model.ids import SPACE, JobID, MemberID, RoomID, RoomKey, TenantID, UserID
from bridge.model.room import Bots
from bridge.model.tenant import Person, Role, TenantRole, TenantStatus, TenantSummary
from bridge.ports import Clock, Queue


class MissingAuditRow(RuntimeError):
    """A transaction of ours changed state and left no audit row: a mistake of the program, undone."""


class TenantWork:
    """A transaction that sees one tenant; implements the port ``Work``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, bots: Bots) -> None:
        self._connection = connection
        self.woken: set[Queue] = set()
        self.tenants = TenantStore(connection, tenant_id)
        self.rooms = RoomStore(connection, tenant_id, bots)
        self.messages = MessageStore(connection, tenant_id)
        self.outbox = OutboxStore(connection, tenant_id, self.woken)
        self.jobs = JobStore(connection, tenant_id, self.woken)
        self.keys = KeyStore(connection, tenant_id)
        self.people = PeopleStore(connection)
        self.inbox = InboxStore(connection, self.woken)

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

    def __init__(self, connection: Connection, tenant_id: TenantID, bots: Bots, *, actor: Actor, clock: Clock) -> None:
        super().__init__(connection, tenant_id, bots)
        self._tenant_id, self._actor, self._clock = tenant_id, actor, clock
        self.is_accounted_for = False

    async def audit(self, entry: AuditEntry) -> None:
        await append_audit(self._connection, self._tenant_id, self._actor, entry, now=self._clock.now())
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
            work = TenantWork(connection, tenant_id, self._bots)
            yield work
        self._ring(work)

    @asynccontextmanager
    async def act(self, tenant_id: TenantID, actor: Actor) -> AsyncGenerator[TenantAct, None]:
        """Open a transaction on behalf of ``actor``; without an audit row it is undone."""
        async with self._transaction(tenant_id) as connection:
            act = TenantAct(connection, tenant_id, self._bots, actor=actor, clock=self._clock)
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
