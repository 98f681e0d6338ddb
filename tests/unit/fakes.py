"""A database that lives in memory: transactions that are undone when they fail, and stores as the ports want them."""

import copy
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bridge.errors import Conflict, DependencyDown
from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationCredential, IntegrationKey
from bridge.model.effect import Effect, effect_target
from bridge.model.event import BusinessEvent, Delivery, InboxItem, MatrixEvent, OutboxItem, Outgoing, Receipt
from bridge.model.ids import (
    SPACE,
    DeliveryID,
    EventID,
    JobID,
    MemberID,
    OutboxID,
    RoomID,
    RoomKey,
    TenantID,
    UserID,
)
from bridge.model.job import EffectResult, Job, Lane
from bridge.model.json import JsonObject
from bridge.model.room import Observed, ObservedMembership, ObservedPerson, ObservedRoom
from bridge.model.tenant import (
    Member,
    Person,
    Role,
    Room,
    Tenant,
    TenantRole,
    TenantSettings,
    TenantStatus,
    TenantSummary,
)


@dataclass(slots=True, kw_only=True)
class Memory:
    """Every table."""

    tenants: dict[TenantID, Tenant] = field(default_factory=dict)
    memberships: dict[TenantID, dict[MemberID, Role]] = field(default_factory=dict)
    people: dict[MemberID, Person] = field(default_factory=dict)
    registered: set[UserID] = field(default_factory=set)
    profile_names: dict[UserID, str] = field(default_factory=dict)
    rooms: dict[RoomID, tuple[TenantID, RoomKey, str]] = field(default_factory=dict)
    state: dict[tuple[RoomID, str, str], MatrixEvent] = field(default_factory=dict)
    messages: dict[EventID, MatrixEvent] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    outbox: dict[OutboxID, OutboxItem] = field(default_factory=dict)
    finished: dict[OutboxID, tuple[EventID | None, str | None]] = field(default_factory=dict)
    idempotency: dict[tuple[TenantID, str], tuple[bytes, list[DeliveryID]]] = field(default_factory=dict)
    deliveries: dict[DeliveryID, tuple[TenantID, RoomKey, BusinessEvent, OutboxID]] = field(default_factory=dict)
    jobs: dict[JobID, Job] = field(default_factory=dict)
    keys: dict[str, tuple[TenantID, IntegrationKey, bytes]] = field(default_factory=dict)
    inbox: dict[RoomID, list[InboxItem]] = field(default_factory=dict)
    stray: dict[RoomID, list[InboxItem]] = field(default_factory=dict)
    quarantined: list[tuple[InboxItem, str]] = field(default_factory=list)
    audit: list[tuple[TenantID, Actor, AuditEntry]] = field(default_factory=list)


class _Store:
    def __init__(self, database: "FakeDatabase", tenant_id: TenantID) -> None:
        self._database, self._tenant_id = database, tenant_id

    @property
    def _memory(self) -> Memory:
        return self._database.memory

    def _check(self, lane: Lane) -> None:
        if lane.fence != self._database.fence:
            raise Conflict("the lane is held by another worker now")


class FakeTenants(_Store):
    async def lock(self) -> None:
        self._database.locked.append(self._tenant_id)

    async def find(self) -> Tenant | None:
        tenant = self._memory.tenants.get(self._tenant_id)
        return replace(tenant, members=tuple(self._members())) if tenant else None

    def _members(self) -> list[Member]:
        roles = self._memory.memberships.get(self._tenant_id, {})
        people = [(self._memory.people[member_id], role) for member_id, role in sorted(roles.items())]
        return [
            Member(
                member_id=person.member_id,
                user_id=person.user_id,
                role=role,
                display_name=person.display_name,
                active=person.active,
            )
            for person, role in people
        ]

    async def save(
        self, *, name: str, status: TenantStatus, settings: TenantSettings, revision: int, rooms: Sequence[Room]
    ) -> None:
        self._memory.tenants[self._tenant_id] = Tenant(
            tenant_id=self._tenant_id,
            name=name,
            status=status,
            settings=settings,
            revision=revision,
            rooms=tuple(rooms),
            members=(),
        )

    async def save_room(self, room: Room) -> None:
        tenant = self._memory.tenants[self._tenant_id]
        others = tuple(found for found in tenant.rooms if found.key != room.key)
        self._memory.tenants[self._tenant_id] = replace(tenant, rooms=(*others, room))

    async def save_member(self, member_id: MemberID, role: Role) -> None:
        self._memory.memberships.setdefault(self._tenant_id, {})[member_id] = role

    async def remove_member(self, member_id: MemberID) -> None:
        self._memory.memberships.get(self._tenant_id, {}).pop(member_id, None)

    async def bump_revision(self) -> int:
        tenant = self._memory.tenants[self._tenant_id]
        self._memory.tenants[self._tenant_id] = replace(tenant, revision=tenant.revision + 1)
        return tenant.revision + 1


class FakeRooms(_Store):
    async def observed(self) -> Observed:
        people = [self._memory.people[who] for who in self._memory.memberships.get(self._tenant_id, {})]
        return Observed(
            rooms={key: self._room(room_id, key) for key, room_id in (await self.room_ids()).items()},
            people={
                person.user_id: ObservedPerson(
                    registered=person.user_id in self._memory.registered,
                    profile_name=self._memory.profile_names.get(person.user_id),
                )
                for person in people
            },
        )

    def _room(self, room_id: RoomID, key: RoomKey) -> ObservedRoom:
        events = {found[1:]: event for found, event in self._memory.state.items() if found[0] == room_id}
        return ObservedRoom(
            room_id=room_id,
            key=key,
            state={name: event.content for name, event in events.items() if name[0] != "m.room.member"},
            members={
                UserID(name[1]): ObservedMembership(membership=event.content["membership"], sender=event.sender)
                for name, event in events.items()
                if name[0] == "m.room.member"
            },
        )

    async def room_ids(self) -> Mapping[RoomKey, RoomID]:
        return {key: room_id for room_id, (owner, key, _) in self._memory.rooms.items() if owner == self._tenant_id}

    async def find_room_type(self, room_id: RoomID) -> str | None:
        found = self._memory.rooms.get(room_id)
        return found[2] if found and found[0] == self._tenant_id else None

    async def record_room(self, room_id: RoomID, key: RoomKey, room_type: str) -> None:
        if key not in await self.room_ids():
            self._memory.rooms[room_id] = (self._tenant_id, key, room_type)

    async def record_state(self, events: Sequence[MatrixEvent]) -> Sequence[MatrixEvent]:
        newer = []
        for event in events:
            name = (event.room_id, event.event_type, event.state_key or "")
            before = self._memory.state.get(name)
            if before is None or (
                before.origin_server_ts <= event.origin_server_ts and before.event_id != event.event_id
            ):
                self._memory.state[name] = event
                newer.append(event)
        return newer


class FakeMessages(_Store):
    async def add(self, event: MatrixEvent) -> bool:
        self._database.poke(event)
        is_new = event.event_id not in self._memory.messages
        self._memory.messages.setdefault(event.event_id, event)
        return is_new

    async def edit(self, event_id: EventID, *, edit: MatrixEvent, content: JsonObject) -> None:
        found = self._memory.messages.get(event_id)
        if found and found.sender == edit.sender and found.room_id == edit.room_id:
            self._memory.messages[event_id] = replace(found, content=content)

    async def redact(self, event_id: EventID, *, room_id: RoomID) -> None:
        found = self._memory.messages.get(event_id)
        if found and found.room_id == room_id:
            self._memory.messages[event_id] = replace(found, content={})

    async def record_receipt(self, receipt: Receipt) -> None:
        self._memory.receipts.append(receipt)

    async def recent(self, room_id: RoomID, *, limit: int) -> Sequence[tuple[UserID, str]]:
        found = [event for event in self._memory.messages.values() if event.room_id == room_id]
        return [(event.sender, str(event.content["body"])) for event in found if "body" in event.content][-limit:]


class FakeOutbox(_Store):
    async def enqueue(self, message: Outgoing) -> OutboxID:
        outbox_id = OutboxID(len(self._memory.outbox) + 1)
        self._memory.outbox[outbox_id] = OutboxItem(
            outbox_id=outbox_id,
            tenant_id=self._tenant_id,
            room_id=message.room_id,
            kind=message.kind,
            sender=message.sender,
            event_type=message.event_type,
            content=message.content,
            nonce=f"nonce-{outbox_id}",
            attempts=0,
        )
        return outbox_id

    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[OutboxItem]:
        waiting = [item for item in self._memory.outbox.values() if item.outbox_id not in self._memory.finished]
        return [item for item in waiting if item.room_id == room_id][:limit]

    async def record_attempts(self, outbox_ids: Sequence[OutboxID]) -> None:
        for outbox_id in outbox_ids:
            item = self._memory.outbox[outbox_id]
            self._memory.outbox[outbox_id] = replace(item, attempts=item.attempts + 1)

    async def finish(self, lane: Lane, outbox_id: OutboxID, *, event_id: EventID | None, error: str | None) -> None:
        self._check(lane)
        self._memory.finished[outbox_id] = (event_id, error)

    async def find_receipt(self, idempotency_key: str) -> tuple[bytes, Sequence[DeliveryID]] | None:
        return self._memory.idempotency.get((self._tenant_id, idempotency_key))

    async def claim_idempotency_key(self, key: str, body_sha256: bytes, delivery_ids: Sequence[DeliveryID]) -> bool:
        if (self._tenant_id, key) in self._memory.idempotency:
            return False
        self._memory.idempotency[self._tenant_id, key] = (body_sha256, list(delivery_ids))
        return True

    async def add_delivery(
        self, delivery_id: DeliveryID, *, event: BusinessEvent, key_id: str, room_key: RoomKey, message: Outgoing
    ) -> None:
        assert key_id
        self._memory.deliveries[delivery_id] = (self._tenant_id, room_key, event, await self.enqueue(message))

    async def find_delivery(self, delivery_id: DeliveryID) -> Delivery | None:
        found = self._memory.deliveries.get(delivery_id)
        if found is None or found[0] != self._tenant_id:
            return None
        _, room_key, event, outbox_id = found
        event_id, error = self._memory.finished.get(outbox_id, (None, None))
        state = "queued" if outbox_id not in self._memory.finished else "dead" if error else "delivered"
        return Delivery(
            delivery_id=delivery_id,
            state=state,
            room_id=self._memory.outbox[outbox_id].room_id,
            room_key=room_key,
            type=event.type,
            event_id=event_id,
            error=error,
        )


class FakeJobs(_Store):
    async def enqueue(self, revision: int) -> JobID:
        assert revision >= 0
        for job in self._memory.jobs.values():
            if (job.tenant_id, job.state) == (self._tenant_id, "queued"):
                return job.job_id
        job_id = JobID(f"job-{len(self._memory.jobs) + 1}")
        self._memory.jobs[job_id] = Job(
            job_id=job_id, tenant_id=self._tenant_id, state="queued", error=None, effects=()
        )
        return job_id

    async def find(self, job_id: JobID) -> Job | None:
        job = self._memory.jobs.get(job_id)
        return job if job and job.tenant_id == self._tenant_id else None

    async def next_open(self) -> JobID | None:
        mine = [job for job in self._memory.jobs.values() if job.tenant_id == self._tenant_id]
        ordered = [job for state in ("running", "queued") for job in mine if job.state == state]
        return ordered[0].job_id if ordered else None

    async def begin(self, job_id: JobID, effects: Sequence[Effect]) -> int:
        job = self._memory.jobs[job_id]
        targets = [effect_target(effect) for effect in effects]
        again = {target.effect_id for target in targets}
        kept = tuple(
            result
            for result in job.effects
            if result.state == "done" or (result.state == "failed" and result.target.effect_id not in again)
        )
        new = tuple(EffectResult(target=target, state="pending", error=None) for target in targets)
        self._memory.jobs[job_id] = replace(job, state="running", effects=kept + new)
        return len(kept)

    async def record_effect(self, job_id: JobID, position: int, *, room_id: RoomID | None, error: str | None) -> None:
        job = self._memory.jobs[job_id]
        results = list(job.effects)
        target = replace(results[position].target, room_id=room_id or results[position].target.room_id)
        results[position] = EffectResult(target=target, state="failed" if error else "done", error=error)
        self._memory.jobs[job_id] = replace(job, effects=tuple(results))

    async def finish(self, lane: Lane, job_id: JobID, *, error: str | None) -> None:
        self._check(lane)
        job = self._memory.jobs[job_id]
        self._memory.jobs[job_id] = replace(job, state="failed" if error else "done", error=error)


class FakeKeys(_Store):
    async def add(
        self,
        *,
        name: str,
        prefix: str,
        secret_sha256: bytes,
        scopes: Sequence[str],
        room_keys: Sequence[RoomKey] | None,
        expires_at: datetime | None,
    ) -> IntegrationKey:
        key = IntegrationKey(
            key_id=f"key-{len(self._memory.keys) + 1}",
            name=name,
            prefix=prefix,
            scopes=tuple(scopes),
            room_keys=None if room_keys is None else tuple(room_keys),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            expires_at=expires_at,
        )
        self._memory.keys[key.key_id] = (self._tenant_id, key, secret_sha256)
        return key

    async def list_all(self) -> Sequence[IntegrationKey]:
        return [key for owner, key, _ in self._memory.keys.values() if owner == self._tenant_id]

    async def revoke(self, key_id: str) -> bool:
        found = self._memory.keys.get(key_id)
        if found is None or found[0] != self._tenant_id:
            return False
        del self._memory.keys[key_id]
        return True


class FakePeople(_Store):
    async def find(self, member_id: MemberID) -> Person | None:
        return self._memory.people.get(member_id)

    async def member_ids(self, user_ids: Sequence[UserID]) -> Mapping[UserID, MemberID]:
        return {p.user_id: p.member_id for p in self._memory.people.values() if p.user_id in user_ids}

    async def save(self, person: Person) -> None:
        self._memory.people[person.member_id] = person

    async def record_registered(self, user_id: UserID) -> None:
        self._memory.registered.add(user_id)

    async def record_profile_name(self, user_id: UserID, display_name: str) -> None:
        self._memory.profile_names[user_id] = display_name


class FakeInbox(_Store):
    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[InboxItem]:
        return self._memory.inbox.get(room_id, [])[:limit]

    async def finish(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        self._check(lane)
        self._take(RoomID(lane.lane_key), items)

    async def set_aside(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        self._check(lane)
        self._take(RoomID(lane.lane_key), items)
        self._memory.stray.setdefault(RoomID(lane.lane_key), []).extend(items)

    async def recall(self, room_id: RoomID) -> None:
        recalled = self._memory.stray.pop(room_id, [])
        waiting = [*recalled, *self._memory.inbox.get(room_id, [])]
        self._memory.inbox[room_id] = sorted(waiting, key=lambda item: item.inbox_id)

    async def quarantine(self, item: InboxItem, error: str) -> None:
        self._memory.quarantined.append((item, error))

    def _take(self, room_id: RoomID, items: Sequence[InboxItem]) -> None:
        taken = {item.inbox_id for item in items}
        self._memory.inbox[room_id] = [i for i in self._memory.inbox.get(room_id, []) if i.inbox_id not in taken]


class FakeWork:
    """A transaction that sees one tenant; implements the port ``Act``."""

    def __init__(self, database: "FakeDatabase", tenant_id: TenantID, actor: Actor | None) -> None:
        self._database, self._tenant_id, self._actor = database, tenant_id, actor
        self.is_accounted_for = actor is None
        self.tenants = FakeTenants(database, tenant_id)
        self.rooms = FakeRooms(database, tenant_id)
        self.messages = FakeMessages(database, tenant_id)
        self.outbox = FakeOutbox(database, tenant_id)
        self.jobs = FakeJobs(database, tenant_id)
        self.keys = FakeKeys(database, tenant_id)
        self.people = FakePeople(database, tenant_id)
        self.inbox = FakeInbox(database, tenant_id)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        with self._database.undone_when_it_fails():
            yield

    async def audit(self, entry: AuditEntry) -> None:
        assert self._actor is not None
        self._database.memory.audit.append((self._tenant_id, self._actor, entry))
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
        self.fence = 1
        self.is_down = False
        self.locked: list[TenantID] = []
        self.poison: dict[EventID, Exception] = {}
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

    async def allowed_origins(self, member_id: MemberID | None) -> frozenset[str]:
        mine = await self.tenants_of_person(member_id) if member_id else self.memory.tenants.values()
        tenants = [self.memory.tenants[found.tenant_id] for found in mine]
        return frozenset(origin for tenant in tenants for origin in tenant.settings.allowed_origins)

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
            )

    def put_room(self, tenant_id: TenantID, room_id: RoomID, key: RoomKey, room_type: str = "general") -> None:
        """Store a room that stands in Matrix."""
        self.memory.rooms[room_id] = (tenant_id, key, room_type)

    def receive(self, *bodies: MatrixEvent | Receipt) -> None:
        """Put what Synapse has sent into the inbox."""
        for body in bodies:
            item = InboxItem(inbox_id=next(self._inbox_ids), body=body)
            self.memory.inbox.setdefault(body.room_id, []).append(item)

    def lane(self, queue: str, lane_key: str, tenant_id: TenantID | None = None) -> Lane:
        """Return a lane that is held."""
        return Lane(queue=queue, lane_key=lane_key, tenant_id=tenant_id, fence=self.fence, attempts=0)
