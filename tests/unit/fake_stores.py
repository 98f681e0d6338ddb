"""Stores of the read model and of desired state, in memory, as the ports want them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bridge.errors import Conflict
from bridge.model.alliance import Alliance, AllianceStep, AllianceTask
from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationKey
from bridge.model.erasure import Erasure
from bridge.model.event import BusinessEvent, InboxItem, MatrixEvent, OutboxItem, Outcome, Receipt
from bridge.model.ids import (
    SPACE,
    AllianceID,
    DeliveryID,
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
from bridge.model.job import Job, JobOutcome, Lane
from bridge.model.json import JsonObject
from bridge.model.room import DirectChat, Observed, ObservedMembership, ObservedPerson, ObservedRoom, RoomKind
from bridge.model.standing import PersonTask
from bridge.model.tenant import (
    Audience,
    Member,
    Outsider,
    Person,
    Role,
    Room,
    RoomType,
    Tenant,
    TenantStatus,
)
from bridge.model.tenant_event import TenantEvent
from bridge.model.ticket import Ticket
from bridge.ports import Clock

if TYPE_CHECKING:
    from tests.unit.fake_alliances import FakeAlliances
    from tests.unit.fake_person_tasks import FakePersonTasks


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyChange:
    """An edit of a message that has not come yet, or its redaction: that has no content."""

    event_id: EventID
    event: MatrixEvent
    content: JsonObject | None


@dataclass(slots=True, kw_only=True)
class Memory:
    """Every table."""

    tenants: dict[TenantID, Tenant] = field(default_factory=dict)
    memberships: dict[TenantID, dict[MemberID, Role]] = field(default_factory=dict)
    people: dict[MemberID, Person] = field(default_factory=dict)
    registered: set[UserID] = field(default_factory=set)
    profile_names: dict[UserID, str] = field(default_factory=dict)
    profile_avatars: dict[UserID, str] = field(default_factory=dict)
    rooms: dict[RoomID, tuple[TenantID, RoomKey, str]] = field(default_factory=dict)
    state: dict[tuple[RoomID, str, str], MatrixEvent] = field(default_factory=dict)
    messages: dict[EventID, MatrixEvent] = field(default_factory=dict)
    early: list[EarlyChange] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    outbox: dict[OutboxID, OutboxItem] = field(default_factory=dict)
    finished: dict[OutboxID, Outcome] = field(default_factory=dict)
    idempotency: dict[tuple[TenantID, str], tuple[bytes, list[DeliveryID]]] = field(default_factory=dict)
    deliveries: dict[DeliveryID, tuple[TenantID, RoomKey, BusinessEvent, OutboxID]] = field(default_factory=dict)
    jobs: dict[JobID, Job] = field(default_factory=dict)
    asks: dict[JobID, int] = field(default_factory=dict)
    verifies: dict[JobID, bool] = field(default_factory=dict)
    outcomes: dict[JobID, JobOutcome] = field(default_factory=dict)
    written: dict[tuple[TenantID, str], list[tuple[str, float]]] = field(default_factory=dict)
    keys: dict[str, tuple[TenantID, IntegrationKey, bytes]] = field(default_factory=dict)
    inbox: dict[RoomID, list[InboxItem]] = field(default_factory=dict)
    stray: dict[RoomID, list[InboxItem]] = field(default_factory=dict)
    quarantined: list[tuple[InboxItem, str]] = field(default_factory=list)
    audit: list[tuple[TenantID, Actor, AuditEntry]] = field(default_factory=list)
    erasures: dict[str, Erasure] = field(default_factory=dict)
    blocks: set[tuple[MemberID, MemberID]] = field(default_factory=set)
    events: list[tuple[TenantID, datetime, TenantEvent]] = field(default_factory=list)
    tickets: dict[tuple[TenantID, TicketID], Ticket] = field(default_factory=dict)
    first_messages: dict[tuple[TenantID, TicketID], str] = field(default_factory=dict)
    ticket_digests: dict[tuple[TenantID, TicketID], bytes] = field(default_factory=dict)
    person_tasks: list[tuple[str, PersonTask]] = field(default_factory=list)
    buried: list[tuple[PersonTask, str]] = field(default_factory=list)
    task_number: int = 0
    alliances: dict[AllianceID, Alliance] = field(default_factory=dict)
    alliance_steps: list[tuple[AllianceID, AllianceStep]] = field(default_factory=list)
    """What the other side was not told yet."""
    alliance_tasks: list[tuple[TenantID, AllianceTask]] = field(default_factory=list)
    told: dict[MemberID, bool] = field(default_factory=dict)
    epochs: dict[MemberID, int] = field(default_factory=dict)


class Host(Protocol):
    """The database behind the stores."""

    memory: Memory
    fence: int
    clock: Clock
    locked: list[TenantID]

    at_hold: Callable[[], None]
    at_finish: Callable[[OutboxID], None]

    def poke(self, event: MatrixEvent) -> None: ...


class Store:
    def __init__(self, database: Host, tenant_id: TenantID) -> None:
        self._database, self._tenant_id = database, tenant_id

    @property
    def _memory(self) -> Memory:
        return self._database.memory

    def _check(self, lane: Lane) -> None:
        if lane.fence != self._database.fence:
            raise Conflict("the lane is held by another worker now")


class FakeTenants(Store):
    def __init__(
        self, database: Host, tenant_id: TenantID, tasks: "FakePersonTasks", alliances: "FakeAlliances"
    ) -> None:
        super().__init__(database, tenant_id)
        self._tasks, self._alliances = tasks, alliances

    async def lock(self) -> None:
        self._database.locked.append(self._tenant_id)

    async def find(self) -> Tenant | None:
        tenant = self._memory.tenants.get(self._tenant_id)
        if tenant is None:
            return None
        rooms = tuple(self._with_staff(room) for room in tenant.rooms)
        return replace(tenant, members=tuple(self._members()), rooms=rooms)

    def _with_staff(self, room: Room) -> Room:
        if room.audience is not Audience.BITNEXUS:
            return room
        staff = [person for person in self._memory.people.values() if person.super_admin and person.active]
        outsiders = (
            Outsider(member_id=who.member_id, user_id=who.user_id, display_name=who.display_name) for who in staff
        )
        return replace(room, outsiders=frozenset(outsiders))

    async def find_members(self) -> tuple[TenantStatus, Sequence[Member]] | None:
        tenant = self._memory.tenants.get(self._tenant_id)
        return (tenant.status, self._members()) if tenant else None

    def _members(self) -> list[Member]:
        roles = self._memory.memberships.get(self._tenant_id, {})
        people = [(self._memory.people[member_id], role) for member_id, role in sorted(roles.items())]
        is_suspended = self._memory.tenants[self._tenant_id].status is TenantStatus.SUSPENDED
        return [
            Member(
                member_id=person.member_id,
                user_id=person.user_id,
                role=role,
                display_name=person.display_name,
                active=person.active,
                avatar_url=person.avatar_url,
                has_other_active_tenant=is_suspended and self._is_elsewhere(person.member_id),
            )
            for person, role in people
        ]

    async def save(self, tenant: Tenant) -> None:
        before = self._memory.tenants.get(self._tenant_id)
        self._memory.tenants[self._tenant_id] = replace(tenant, members=())
        if before and before.status is not tenant.status:
            await self._tasks.enqueue("standing", [member.member_id for member in tenant.members])
        if before is None or before.status is not tenant.status:
            self._alliances.look_at_all()

    def _is_elsewhere(self, member_id: MemberID) -> bool:
        return any(
            member_id in self._memory.memberships.get(tenant_id, {})
            for tenant_id, tenant in self._memory.tenants.items()
            if tenant_id != self._tenant_id and tenant.status is TenantStatus.ACTIVE
        )

    async def save_room(self, room: Room) -> None:
        tenant = self._memory.tenants[self._tenant_id]
        rooms = {found.key: found for found in tenant.rooms} | {room.key: room}
        self._memory.tenants[self._tenant_id] = replace(tenant, rooms=tuple(rooms.values()))

    async def save_members(self, roles: Mapping[MemberID, Role]) -> None:
        self._memory.memberships.setdefault(self._tenant_id, {}).update(roles)
        await self._tasks.review_expired(roles.keys())
        self._alliances.look_at_those_with(roles.keys())

    async def unlist(self, room_id: RoomID, user_id: UserID) -> bool:
        tenant = self._memory.tenants[self._tenant_id]
        key = next((found[1] for known, found in self._memory.rooms.items() if known == room_id), None)
        who = next((person.member_id for person in self._memory.people.values() if person.user_id == user_id), None)
        for room in tenant.rooms:
            if room.key == key and room.type is RoomType.DM and who in room.member_ids:
                await self.save_room(replace(room, member_ids=room.member_ids - {who}))
                return True
        return False

    async def remove_members(self, member_ids: Collection[MemberID]) -> None:
        for member_id in member_ids:
            self._memory.memberships.get(self._tenant_id, {}).pop(member_id, None)
        await self._tasks.end_sessions(member_ids)
        self._alliances.look_at_those_with(member_ids)

    async def bump_revision(self) -> int:
        tenant = self._memory.tenants[self._tenant_id]
        self._memory.tenants[self._tenant_id] = replace(tenant, revision=tenant.revision + 1)
        return tenant.revision + 1


class FakeRooms(Store):
    async def rooms_of(self, user_id: UserID) -> Sequence[RoomID]:
        rooms = [self._room(room_id, key) for key, room_id in (await self.room_ids()).items()]
        inside = [
            room for room in rooms if user_id in room.members and room.members[user_id].membership in {"join", "invite"}
        ]
        return [room.room_id for room in sorted(inside, key=lambda room: (room.key != SPACE, room.key))]

    async def observed(self) -> Observed:
        tenant = self._memory.tenants.get(self._tenant_id)
        outsiders = {who.member_id for room in (tenant.rooms if tenant else ()) for who in room.outsiders}
        people = [self._memory.people[who] for who in {*self._memory.memberships.get(self._tenant_id, {}), *outsiders}]
        return Observed(
            rooms={key: self._room(room_id, key) for key, room_id in (await self.room_ids()).items()},
            people=await self.observed_people([person.user_id for person in people]),
        )

    async def observed_people(self, user_ids: Sequence[UserID]) -> Mapping[UserID, ObservedPerson]:
        known = {person.user_id for person in self._memory.people.values()}
        return {
            user_id: ObservedPerson(
                registered=user_id in self._memory.registered,
                profile_name=self._memory.profile_names.get(user_id),
                profile_avatar=self._memory.profile_avatars.get(user_id, ""),
            )
            for user_id in user_ids
            if user_id in known
        }

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

    async def find_addressed(
        self, room_keys: Sequence[RoomKey], member_ids: Sequence[MemberID]
    ) -> tuple[Mapping[RoomKey, RoomID], Mapping[MemberID, UserID]]:
        tenant, room_ids = self._memory.tenants[self._tenant_id], await self.room_ids()
        is_open = {room.key for room in tenant.rooms if not room.archived and not room.personal}
        members = self._memory.memberships.get(self._tenant_id, {})
        return (
            {key: room_ids[key] for key in room_keys if key in room_ids and key in is_open},
            {member_id: self._memory.people[member_id].user_id for member_id in member_ids if member_id in members},
        )

    async def is_current(self, event: MatrixEvent) -> bool:
        found = self._memory.state.get((event.room_id, event.event_type, event.state_key or ""))
        return found is not None and found.event_id == event.event_id

    async def direct_chats(self, user_id: UserID) -> Sequence[DirectChat]:
        found: list[DirectChat] = []
        for room_id, (tenant_id, _, room_type) in self._memory.rooms.items():
            if tenant_id != self._tenant_id or room_type != RoomType.DM.value:
                continue
            members = {
                UserID(key): event.content["membership"]
                for (where, kind, key), event in self._memory.state.items()
                if where == room_id and kind == "m.room.member"
            }
            others = [who for who in members if who != user_id and who.startswith("@u_")]
            if user_id in members and others:
                is_inside = members[user_id] == "join"
                found.append(DirectChat(room_id=room_id, other=others[0], is_inside=is_inside))
        return found

    async def find_kind(self, room_id: RoomID) -> RoomKind | None:
        found = self._memory.rooms.get(room_id)
        if found is None or found[0] != self._tenant_id:
            return None
        tenant = self._memory.tenants.get(self._tenant_id)
        own = {room.key for room in tenant.rooms if room.personal} if tenant else set[RoomKey]()
        return RoomKind(type=found[2], personal=found[1] in own)

    async def retire(self, room_id: RoomID) -> None:
        tenant_id, key, room_type = self._memory.rooms[room_id]
        self._memory.rooms[room_id] = (tenant_id, RoomKey(f"{key}~{len(self._memory.rooms)}"), room_type)

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


class FakeMessages(Store):
    async def add(self, event: MatrixEvent) -> bool:
        self._database.poke(event)
        is_new = event.event_id not in self._memory.messages
        self._memory.messages.setdefault(event.event_id, event)
        if is_new:
            await self._apply_early_changes(event)
        return is_new

    async def _apply_early_changes(self, event: MatrixEvent) -> None:
        waiting = [change for change in self._memory.early if change.event_id == event.event_id]
        self._memory.early = [change for change in self._memory.early if change.event_id != event.event_id]
        for change in sorted(waiting, key=lambda change: change.event.origin_server_ts):
            if change.content is None:
                await self.redact(event.event_id, redaction=change.event)
            else:
                await self.edit(event.event_id, edit=change.event, content=change.content)

    async def edit(self, event_id: EventID, *, edit: MatrixEvent, content: JsonObject) -> None:
        found = self._memory.messages.get(event_id)
        if found is None:
            self._memory.early.append(EarlyChange(event_id=event_id, event=edit, content=content))
        elif found.sender == edit.sender and found.room_id == edit.room_id:
            self._memory.messages[event_id] = replace(found, content=content)

    async def redact(self, event_id: EventID, *, redaction: MatrixEvent) -> None:
        found = self._memory.messages.get(event_id)
        if found is None:
            self._memory.early = [change for change in self._memory.early if change.event.event_id != event_id]
            self._memory.early.append(EarlyChange(event_id=event_id, event=redaction, content=None))
        elif found.room_id == redaction.room_id:
            self._memory.messages[event_id] = replace(found, content={})

    async def record_receipt(self, receipt: Receipt) -> None:
        self._memory.receipts.append(receipt)

    async def recent(self, room_id: RoomID, *, limit: int) -> Sequence[tuple[UserID, str]]:
        found = [event for event in self._memory.messages.values() if event.room_id == room_id]
        return [(event.sender, str(event.content["body"])) for event in found if "body" in event.content][-limit:]
