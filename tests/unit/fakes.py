"""A database that lives in memory: transactions that are undone when they fail, and leave an audit row."""

import copy
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from bridge.errors import DependencyDown
from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationCredential
from bridge.model.event import InboxItem, MatrixEvent, Receipt
from bridge.model.ids import (
    SPACE,
    AllianceID,
    EventID,
    JobID,
    MemberID,
    OutboxID,
    RoomID,
    RoomKey,
    TenantID,
    TicketID,
    UserID,
)
from bridge.model.job import Lane, TenantDue
from bridge.model.standing import Standing
from bridge.model.tenant import (
    Audience,
    Person,
    Tenant,
    TenantRole,
    TenantStatus,
    TenantSummary,
)
from bridge.model.ticket import TicketStatus
from tests.unit.fake_alliances import FakeAlliances
from tests.unit.fake_edges import FakeClock
from tests.unit.fake_erasures import FakeErasures
from tests.unit.fake_person_tasks import FakePersonTasks
from tests.unit.fake_queues import FakeInbox, FakeJobs, FakeKeys, FakeOutbox, FakePeople
from tests.unit.fake_stores import FakeMessages, FakeRooms, FakeTenants, Memory
from tests.unit.fake_tenant_events import FakeTenantEvents
from tests.unit.fake_tickets import FakeTickets


class FakeWork:
    """A transaction that sees one tenant; implements the port ``Act``."""

    def __init__(self, database: "FakeDatabase", tenant_id: TenantID, actor: Actor | None) -> None:
        self._database, self._tenant_id, self._actor = database, tenant_id, actor
        self.is_accounted_for = actor is None
        self.person_tasks = FakePersonTasks(database, tenant_id)
        self.alliances = FakeAlliances(database, tenant_id)
        self.tenants = FakeTenants(database, tenant_id, self.person_tasks, self.alliances)
        self.rooms = FakeRooms(database, tenant_id)
        self.messages = FakeMessages(database, tenant_id)
        self.outbox = FakeOutbox(database, tenant_id)
        self.jobs = FakeJobs(database, tenant_id)
        self.keys = FakeKeys(database, tenant_id)
        self.people = FakePeople(database, tenant_id, self.person_tasks)
        self.inbox = FakeInbox(database, tenant_id)
        self.erasures = FakeErasures(database, tenant_id)
        self.events = FakeTenantEvents(database, tenant_id)
        self.tickets = FakeTickets(database, tenant_id)

    def on_behalf_of(self, actor: Actor) -> "FakeWork":
        return FakeWork(self._database, self._tenant_id, actor)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        with self._database.undone_when_it_fails():
            yield

    async def audit(self, *entries: AuditEntry) -> None:
        assert self._actor is not None
        self._database.memory.audit += [(self._tenant_id, self._actor, entry) for entry in entries]
        self.is_accounted_for = True

    def nothing_changed(self) -> None:
        self.is_accounted_for = True


class _Undo:
    def __init__(self, database: "FakeDatabase") -> None:
        self._database, self._before = database, copy.deepcopy(database.memory)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._database.memory = self._before


class FakeDatabase:
    """Implements the port ``Database``; ``is_down`` makes every transaction fail."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.clock = FakeClock()
        self.fence = 1
        self.is_down = False
        self.locked: list[TenantID] = []
        self.due: list[TenantDue] = []
        self.poison: dict[EventID, Exception] = {}
        self.at_hold: Callable[[], None] = lambda: None
        self.at_finish: Callable[[OutboxID], None] = lambda _outbox_id: None
        self._inbox_ids = itertools.count(1)

    def undone_when_it_fails(self) -> _Undo:
        return _Undo(self)

    def poke(self, event: MatrixEvent) -> None:
        """Fail as a store does that cannot take an event."""
        if event.event_id in self.poison:
            raise self.poison[event.event_id]

    @asynccontextmanager
    async def work(self, tenant_id: TenantID) -> AsyncIterator[FakeWork]:
        async with self._transaction(tenant_id, None) as work:
            yield work

    @asynccontextmanager
    async def act(self, tenant_id: TenantID, actor: Actor) -> AsyncIterator[FakeWork]:
        async with self._transaction(tenant_id, actor) as work:
            yield work

    @asynccontextmanager
    async def _transaction(self, tenant_id: TenantID, actor: Actor | None) -> AsyncIterator[FakeWork]:
        if self.is_down:
            raise DependencyDown("the database does not answer")
        work = FakeWork(self, tenant_id, actor)
        with self.undone_when_it_fails():
            yield work
            assert work.is_accounted_for, "an act left no audit row"

    async def list_tenants(self, *, after: TenantID | None, limit: int) -> Sequence[TenantSummary]:
        behind = [found for found in sorted(self.memory.tenants) if found > (after or "")][:limit]
        tenants = [self.memory.tenants[tenant_id] for tenant_id in behind]
        return [TenantSummary(tenant_id=t.tenant_id, name=t.name, status=t.status) for t in tenants]

    async def tenants_due(self, *, verify_seconds: float, look_seconds: float) -> Sequence[TenantDue]:
        assert verify_seconds > look_seconds > 0
        return self.due

    async def known_rooms(self, room_ids: Sequence[RoomID]) -> frozenset[RoomID]:
        return frozenset(room_ids) & self.memory.rooms.keys()

    async def tenant_of_room(self, room_id: RoomID) -> TenantID | None:
        found = self.memory.rooms.get(room_id)
        return found[0] if found else None

    async def tenant_of_job(self, job_id: JobID) -> TenantID | None:
        job = self.memory.jobs.get(job_id)
        return job.tenant_id if job else None

    async def tenants_of_person(self, member_id: MemberID) -> Sequence[TenantRole]:
        if self.is_down:
            raise DependencyDown("the database does not answer")
        spaces = {owner: room_id for room_id, (owner, key, _) in self.memory.rooms.items() if key == SPACE}
        return [
            TenantRole(tenant_id=tenant.tenant_id, name=tenant.name, role=role, space_id=spaces.get(tenant.tenant_id))
            for tenant in self.memory.tenants.values()
            if tenant.status is TenantStatus.ACTIVE
            and (role := self.memory.memberships.get(tenant.tenant_id, {}).get(member_id))
        ]

    async def suspended_tenants_of(self, member_ids: Collection[MemberID]) -> Sequence[TenantID]:
        return [
            tenant_id
            for tenant_id, tenant in sorted(self.memory.tenants.items())
            if tenant.status is TenantStatus.SUSPENDED
            and not self.memory.memberships.get(tenant_id, {}).keys().isdisjoint(member_ids)
        ]

    async def tenant_ids_of_person(self, member_id: MemberID) -> Sequence[TenantID]:
        return sorted(owner for owner, roles in self.memory.memberships.items() if member_id in roles)

    async def hosts_of_person(self, member_id: MemberID) -> Sequence[TenantID]:
        found = self.memory.alliances.values()
        return sorted(
            {
                alliance.owner_tenant_id
                for alliance in found
                if alliance.ended_by_tenant is None and member_id in alliance.chosen_by(alliance.partner_tenant_id)
            }
        )

    async def sides_of_alliance(self, alliance_id: AllianceID) -> tuple[TenantID, TenantID] | None:
        alliance = self.memory.alliances.get(alliance_id)
        return alliance.sides if alliance else None

    async def present_members(self, tenant_id: TenantID, member_ids: Collection[MemberID]) -> frozenset[MemberID]:
        tenant = self.memory.tenants.get(tenant_id)
        if tenant is None or tenant.status is not TenantStatus.ACTIVE:
            return frozenset()
        return frozenset(member_ids) & self.memory.memberships.get(tenant_id, {}).keys()

    async def standings(self, member_ids: Collection[MemberID]) -> Sequence[Standing]:
        return [
            Standing(
                member_id=person.member_id,
                user_id=person.user_id,
                is_registered=person.user_id in self.memory.registered,
                is_active=person.active,
                is_super_admin=person.super_admin,
                has_active_tenant=bool(await self.tenants_of_person(person.member_id)),
                suspended_tenants=tuple(await self.suspended_tenants_of([person.member_id])),
                is_expired=self.memory.told.get(person.member_id, False),
            )
            for member_id in sorted(member_ids)
            if (person := self.memory.people.get(member_id))
        ]

    async def tenants_to_remove(self, now: datetime) -> Sequence[TenantID]:
        return [
            tenant_id
            for tenant_id, tenant in sorted(self.memory.tenants.items())
            if tenant.removes_at and tenant.removes_at <= now and tenant.status is not TenantStatus.REMOVED
        ]

    async def allowed_origins(self, member_id: MemberID | None) -> frozenset[str]:
        mine = await self.tenants_of_person(member_id) if member_id else self.memory.tenants.values()
        tenants = [self.memory.tenants[found.tenant_id] for found in mine]
        return frozenset(origin for tenant in tenants for origin in tenant.settings.allowed_origins)

    async def staff_tickets(
        self, *, status: TicketStatus | None, assignee: MemberID | None, after: TicketID | None, limit: int
    ) -> Sequence[tuple[TenantID, TicketID]]:
        found = [
            (tenant_id, ticket)
            for (tenant_id, _), ticket in self.memory.tickets.items()
            if ticket.audience is Audience.BITNEXUS
            and (status is None or ticket.status is status)
            and (assignee is None or ticket.assignee == assignee)
        ]
        found.sort(key=lambda pair: (pair[1].opened_at, pair[1].ticket_id))
        names = [(tenant_id, ticket.ticket_id) for tenant_id, ticket in found]
        start = next((place + 1 for place, (_, name) in enumerate(names) if name == after), 0)
        return names[start:][:limit]

    async def tenants_with_staff_tickets(self) -> Sequence[TenantID]:
        return sorted({who for (who, _), t in self.memory.tickets.items() if t.audience is Audience.BITNEXUS})

    async def person_of_user(self, user_id: UserID) -> Person | None:
        return next((person for person in self.memory.people.values() if person.user_id == user_id), None)

    async def find_integration(self, secret_sha256: bytes) -> IntegrationCredential | None:
        for owner, key, digest in self.memory.keys.values():
            if digest == secret_sha256:
                room_keys = None if key.room_keys is None else frozenset(key.room_keys)
                return IntegrationCredential(
                    key_id=key.key_id, tenant_id=owner, scopes=frozenset(key.scopes), room_keys=room_keys
                )
        return None

    # what tests put in

    def put_tenant(self, tenant: Tenant) -> None:
        """Store a tenant with its people."""
        self.memory.tenants[tenant.tenant_id] = replace(tenant, members=())
        self.memory.memberships[tenant.tenant_id] = {member.member_id: member.role for member in tenant.members}
        for member in tenant.members:
            self.memory.people[member.member_id] = Person(
                member_id=member.member_id,
                user_id=member.user_id,
                display_name=member.display_name,
                active=member.active,
                avatar_url=member.avatar_url,
            )

    def put_room(self, tenant_id: TenantID, room_id: RoomID, key: RoomKey, room_type: str = "general") -> None:
        """Store a room that stands in Matrix."""
        self.memory.rooms[room_id] = (tenant_id, key, room_type)

    def receive(self, *bodies: MatrixEvent | Receipt) -> None:
        """Put what Synapse has sent into the inbox."""
        for body in bodies:
            item = InboxItem(inbox_id=next(self._inbox_ids), body=body)
            self.memory.inbox.setdefault(body.room_id, []).append(item)

    def lane(
        self, queue: str, lane_key: str, tenant_id: TenantID | None = None, *, attempts: int = 0, faults: int = 0
    ) -> Lane:
        """Return a lane that is held."""
        return Lane(
            queue=queue, lane_key=lane_key, tenant_id=tenant_id, fence=self.fence, attempts=attempts, faults=faults
        )
