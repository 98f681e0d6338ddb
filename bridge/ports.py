"""What the actions need of the world: a transaction with its stores, the homeserver, the assistant, a clock."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol

from bridge.model.alliance import Alliance, AllianceStep, AllianceTask, Step
from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationCredential, IntegrationKey, SessionCredential
from bridge.model.effect import CreateRoom, Effect
from bridge.model.erasure import ErasedContent, Erasure, TimelinePage
from bridge.model.event import (
    BusinessEvent,
    Delivery,
    InboxItem,
    MatrixEvent,
    OutboxItem,
    Outcome,
    Outgoing,
    Receipt,
)
from bridge.model.ids import (
    AllianceID,
    DeliveryID,
    DeviceID,
    EffectID,
    EventID,
    JobID,
    MemberID,
    OutboxID,
    RoomID,
    RoomKey,
    TenantID,
    TicketID,
    TxnID,
    UserID,
)
from bridge.model.job import Job, JobOutcome, Lane, OpenJob, Result, TenantDue
from bridge.model.json import JsonObject
from bridge.model.room import DirectChat, Observed, ObservedPerson, RoomKind
from bridge.model.session import Login, Turn, VerifiedToken
from bridge.model.standing import PersonTask, Standing, TaskKind
from bridge.model.stream import RepairReason, StreamEnds, StreamName, StreamPage
from bridge.model.tenant import Member, Person, Role, Room, Tenant, TenantRole, TenantStatus, TenantSummary
from bridge.model.tenant_event import TenantEvent
from bridge.model.ticket import Ticket, TicketFigures, TicketLine, TicketQuery, TicketStatus
from bridge.policy.budget import Written

Queue = Literal["inbox", "outbox", "reconcile", "people"]


class Tenants(Protocol):
    """Desired state of the transaction's tenant."""

    async def lock(self) -> None:
        """Hold the tenant until the transaction ends, so that changes of it come one after another."""
        ...

    async def find(self) -> Tenant | None: ...

    async def find_members(self) -> tuple[TenantStatus, Sequence[Member]] | None:
        """Return how the tenant is and who is in it, without its rooms; None when there is no tenant."""
        ...

    async def save(self, tenant: Tenant) -> None:
        """Store everything of a tenant but its members."""
        ...

    async def save_room(self, room: Room) -> None:
        """Store one room: where it stood in the list, or at its end."""
        ...

    async def unlist(self, room_id: RoomID, user_id: UserID) -> bool:
        """Take a person off the list of the direct chat that they have left; False when they were not on it."""
        ...

    async def save_members(self, roles: Mapping[MemberID, Role]) -> None: ...

    async def remove_members(self, member_ids: Collection[MemberID]) -> None: ...

    async def bump_revision(self) -> int: ...


class Rooms(Protocol):
    """What stands in Matrix of the transaction's tenant, and the read model of it."""

    async def observed(self) -> Observed: ...

    async def observed_people(self, user_ids: Sequence[UserID]) -> Mapping[UserID, ObservedPerson]:
        """Return the accounts of people, whatever tenants they are in."""
        ...

    async def room_ids(self) -> Mapping[RoomKey, RoomID]: ...

    async def rooms_of(self, user_id: UserID) -> Sequence[RoomID]:
        """Return the rooms that somebody is in or invited to, the space first."""
        ...

    async def is_current(self, event: MatrixEvent) -> bool:
        """Say whether a state event is the one that stands."""
        ...

    async def direct_chats(self, user_id: UserID) -> Sequence[DirectChat]:
        """Return the direct chats that a person was ever in."""
        ...

    async def find_kind(self, room_id: RoomID) -> RoomKind | None: ...

    async def find_addressed(
        self, room_keys: Sequence[RoomKey], member_ids: Sequence[MemberID]
    ) -> tuple[Mapping[RoomKey, RoomID], Mapping[MemberID, UserID]]:
        """Return those of the rooms and of the people that an event may name: what is open and made, and members."""
        ...

    async def retire(self, room_id: RoomID) -> None:
        """Free the key of a room that everybody has left, so that another one can take its place."""
        ...

    async def record_room(self, room_id: RoomID, key: RoomKey, room_type: str) -> None: ...

    async def record_state(self, events: Sequence[MatrixEvent]) -> Sequence[MatrixEvent]:
        """Keep the newest of each state; return those of ``events``, one a state, that were newer than what stood."""
        ...


class Messages(Protocol):
    """The read model of messages of the transaction's tenant."""

    async def add(self, event: MatrixEvent) -> bool:
        """Store a message; False when it was there already."""
        ...

    async def edit(self, event_id: EventID, *, edit: MatrixEvent, content: JsonObject) -> None:
        """Change what a message says; for one that is not there yet, once it comes."""
        ...

    async def redact(self, event_id: EventID, *, redaction: MatrixEvent) -> None:
        """Empty a message; one that is not there yet, once it comes."""
        ...

    async def forget_early_changes(self, before: datetime) -> int:
        """Delete edits and redactions that came before a time, for messages that never came; return how many."""
        ...

    async def record_receipt(self, receipt: Receipt) -> None: ...

    async def recent(self, room_id: RoomID, *, limit: int) -> Sequence[tuple[UserID, str]]:
        """Return sender and plain text of the newest messages, oldest first."""
        ...


class Outbox(Protocol):
    """Messages that wait to be sent, and what integrations may know of them."""

    async def enqueue(self, message: Outgoing) -> OutboxID: ...

    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[OutboxItem]: ...

    async def take_up(self, lane: Lane, *, limit: int) -> Sequence[OutboxItem]:
        """Return the lane's next items, as they were, and count an attempt of each; the lane must still be held."""
        ...

    async def record_failure(self, lane: Lane, outbox_id: OutboxID) -> None:
        """Count a failure that the homeserver answered; the lane must still be held."""
        ...

    async def finish(self, lane: Lane, outbox_id: OutboxID, outcome: Outcome) -> None:
        """Mark an item sent or dead, unless its echo has marked it already; the lane must still be held."""
        ...

    async def acknowledge_echo(self, event: MatrixEvent, delivery_id: DeliveryID) -> bool:
        """Mark the message that ``event`` shows sent, a dead letter too; False when that was known."""
        ...

    async def find_receipt(self, idempotency_key: str) -> tuple[bytes, Sequence[DeliveryID]] | None: ...

    async def claim_idempotency_key(self, key: str, body_sha256: bytes, delivery_ids: Sequence[DeliveryID]) -> bool:
        """Take a key for this body; False when it was taken before, by whatever body."""
        ...

    async def forget_receipts(self, before: datetime) -> int:
        """Delete idempotency keys taken before a time, and return how many there were."""
        ...

    async def add_delivery(
        self, delivery_id: DeliveryID, *, event: BusinessEvent, key_id: str, room_key: RoomKey, message: Outgoing
    ) -> None: ...

    async def find_delivery(self, delivery_id: DeliveryID) -> Delivery | None: ...


class Jobs(Protocol):
    """Reconciles of the transaction's tenant."""

    async def enqueue(self, revision: int, *, verify: bool = False) -> JobID:
        """Ask for a reconcile; one that is queued already serves for this one too.

        With ``verify`` every room is read first, whatever we believe to know of it.
        """
        ...

    async def find(self, job_id: JobID) -> Job | None: ...

    async def next_open(self) -> OpenJob | None:
        """Return the job to work on: one that was begun and not finished before one that waits."""
        ...

    async def asked(self) -> int:
        """Return a number that rises whenever another reconcile is asked for while one is under way."""
        ...

    async def begin(self, lane: Lane, job_id: JobID, effects: Sequence[Effect]) -> int:
        """Mark a job running with these effects ahead of it, behind those tried before; return the first's position.

        The lane must still be held.
        """
        ...

    async def record_results(self, lane: Lane, job_id: JobID, results: Sequence[Result]) -> None:
        """Say what became of effects of a job; the lane must still be held."""
        ...

    async def tried_before(self, job_id: JobID, effects: Sequence[CreateRoom]) -> frozenset[EffectID]:
        """Return those rooms whose creation an earlier job began without an end that we know of."""
        ...

    async def written(self, subjects: Sequence[str]) -> Mapping[str, Sequence[Written]]:
        """Return what we wrote of late to these subjects, the oldest first."""
        ...

    async def finish(self, lane: Lane, job_id: JobID, outcome: JobOutcome) -> None: ...

    async def forget_finished(self, before: datetime) -> int:
        """Delete jobs finished before a time with their effects, and return how many there were."""
        ...


class Keys(Protocol):
    """Integration keys of the transaction's tenant."""

    async def add(
        self,
        *,
        name: str,
        prefix: str,
        secret_sha256: bytes,
        scopes: Sequence[str],
        room_keys: Sequence[RoomKey] | None,
        expires_at: datetime | None,
    ) -> IntegrationKey: ...

    async def list_valid(self, *, after: str | None, limit: int) -> Sequence[IntegrationKey]:
        """Return up to ``limit`` keys made after the one named ``after``, the oldest first."""
        ...

    async def revoke(self, key_id: str) -> bool: ...

    async def revoke_all(self) -> int:
        """End every key that is valid, and return how many there were."""
        ...


class People(Protocol):
    """People of BitNexus, whatever tenants they are in."""

    async def find(self, member_id: MemberID) -> Person | None: ...

    async def find_all(self, member_ids: Collection[MemberID]) -> Mapping[MemberID, Person]: ...

    async def save(self, *people: Person) -> None:
        """Insert or update; a Matrix id, once given, stays (it is what Synapse knows the person by)."""
        ...

    async def member_ids(self, user_ids: Sequence[UserID]) -> Mapping[UserID, MemberID]:
        """Return the BitNexus ids behind Matrix ids; strangers and bots have none."""
        ...

    async def are_blocking(self, one: MemberID, other: MemberID) -> bool:
        """Say whether one of the two blocks the other."""
        ...

    async def blocked_by(self, member_id: MemberID) -> Sequence[MemberID]:
        """Return whom a person blocks, by id."""
        ...

    async def record_registered(self, user_id: UserID) -> None: ...

    async def record_profile_name(self, user_id: UserID, display_name: str) -> None: ...

    async def record_profile_avatar(self, user_id: UserID, avatar_url: str) -> None: ...


class PersonTasks(Protocol):
    """What Synapse, or a tenant, has yet to be told of people; the stores of tenants and people ask for most of it."""

    async def end_sessions(self, member_ids: Collection[MemberID]) -> None:
        """End every session that people have: ours with the transaction, those of Matrix by tasks."""
        ...

    async def enqueue(self, kind: TaskKind, member_ids: Collection[MemberID]) -> None: ...

    async def pending(self, lane_key: str, *, limit: int) -> Sequence[PersonTask]: ...

    async def is_waiting(self, member_id: MemberID) -> bool:
        """Say whether anything is yet to be done that may end a person's sessions, by whatever lane."""
        ...

    async def finish(self, lane: Lane, tasks: Sequence[PersonTask]) -> None:
        """Forget tasks that are done; the lane must still be held."""
        ...

    async def bury(self, lane: Lane, task: PersonTask, error: str) -> None:
        """Set a task aside in ``quarantine``; the lane must still be held."""
        ...

    async def record_told(self, *, expired: Collection[MemberID], restored: Collection[MemberID]) -> None:
        """Remember what Synapse was told, and end the sessions of those who were not expired before."""
        ...


class Erasures(Protocol):
    """Erasures of people, and what the transaction's tenant has of them."""

    async def begin(self, person: Person, receipt_id: str) -> Erasure: ...

    async def find(self, member_id: MemberID) -> Erasure | None:
        """Return the last erasure of a person."""
        ...

    async def save(self, erasure: Erasure) -> None:
        """Store how far it is; done stays done."""
        ...

    async def erase_content(self, member_id: MemberID, user_id: UserID) -> ErasedContent:
        """Empty the tenant's tables of what a person said and is called; again as good. The audit chain still holds."""
        ...

    async def forget_person(self, member_id: MemberID) -> bool:
        """Delete the person; False while some tenant has them."""
        ...


class Alliances(Protocol):
    """Alliances of which the transaction's tenant is a side; others are not there.

    What is saved is looked at afterwards by a task, whatever becomes of this process.
    """

    async def find(self, alliance_id: AllianceID) -> Alliance | None: ...

    async def hold(self, alliance_id: AllianceID) -> Alliance | None:
        """Find an alliance and keep the other side from changing it until the transaction ends."""
        ...

    async def list_after(self, alliance_id: AllianceID | None, *, limit: int) -> Sequence[Alliance]:
        """Return alliances in the order of their ids, those behind one."""
        ...

    async def open_ids(self) -> Sequence[AllianceID]:
        """Return the alliances that have not ended."""
        ...

    async def add(self, alliance: Alliance) -> bool:
        """Store a new alliance without its people; False when the id is taken, by whatever tenants."""
        ...

    async def save(self, alliance: Alliance) -> None:
        """Store everything of an alliance but its people."""
        ...

    async def choose(self, alliance_id: AllianceID, member_ids: Collection[MemberID]) -> None:
        """Store whom the transaction's tenant has chosen."""
        ...

    async def note_step(self, alliance: Alliance, step: Step) -> None:
        """Note what the transaction's tenant did, for the other side to be told."""
        ...

    async def take_untold(self, alliance_id: AllianceID) -> Sequence[AllianceStep]:
        """Return what the other side did and the transaction's tenant has not recorded yet; it counts as told."""
        ...

    async def tasks(self, lane: Lane, *, limit: int) -> Sequence[AllianceTask]: ...

    async def finish(self, lane: Lane, tasks: Sequence[AllianceTask]) -> None:
        """Forget tasks that are done; the lane must still be held."""
        ...

    async def bury(self, lane: Lane, error: str) -> None:
        """Set the lane's oldest task aside in ``quarantine``; the lane must still be held."""
        ...


class TenantEvents(Protocol):
    """What happened in the transaction's tenant, for its webhooks; an act adds to it what it brings about."""

    async def add(self, *events: TenantEvent) -> None: ...

    async def list_after(self, event_row: int, *, limit: int) -> Sequence[tuple[int, TenantEvent]]:
        """Return the events behind a row, the oldest first, each with its row."""
        ...

    async def forget(self, before: datetime) -> int:
        """Delete what happened before a time, and return how much there was."""
        ...


class Tickets(Protocol):
    """Support tickets of the transaction's tenant."""

    async def next_number(self) -> int:
        """Return the number of the tenant's next ticket; the tenant must be locked."""
        ...

    async def add(self, ticket: Ticket, *, first_message: str, body_sha256: bytes) -> None: ...

    async def save(self, ticket: Ticket) -> None: ...

    async def find(self, ticket_id: TicketID) -> Ticket | None:
        """Return a ticket and hold it until the transaction ends."""
        ...

    async def find_number(self, number: int) -> Ticket | None:
        """Return the ticket with a number, and hold it until the transaction ends."""
        ...

    async def find_in_room(self, room_id: RoomID) -> Ticket | None:
        """Return the ticket whose room it is, and hold it until the transaction ends."""
        ...

    async def role_of(self, member_id: MemberID) -> Role | None:
        """Return somebody's role in the tenant."""
        ...

    async def body_sha256(self, ticket_id: TicketID) -> bytes | None:
        """Return the digest of what opened a ticket."""
        ...

    async def lines(self, query: TicketQuery, *, asker: UserID) -> Sequence[TicketLine]: ...

    async def lines_of(self, ticket_ids: Sequence[TicketID], *, asker: UserID) -> Sequence[TicketLine]: ...

    async def figures(self, *, days: int) -> TicketFigures: ...

    async def take_first_messages(self, relay: UserID) -> Mapping[TicketID, tuple[RoomID, MemberID, str]]:
        """Take the first messages of the rooms that the relay is in; each is taken once."""
        ...

    async def unassign(self, member_id: MemberID) -> Sequence[Ticket]:
        """Take tickets that are not closed from somebody, and return them."""
        ...

    async def is_answer_to_question(self, event_id: EventID, ticket: Ticket) -> bool:
        """Say whether an event is the question that was asked when the ticket was closed."""
        ...

    async def forget_words(self, member_id: MemberID) -> None:
        """Empty the tickets that somebody opened of their words."""
        ...


class Inbox(Protocol):
    """Events that Synapse has sent and nobody has handled yet."""

    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[InboxItem]: ...

    async def hold(self, lane: Lane) -> None:
        """Keep everybody else from the lane until the transaction ends; it must still be held."""
        ...

    async def finish(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        """Mark items handled and drop their bodies; the lane must still be held."""
        ...

    async def set_aside(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        """Keep items of a room that is not known, until it is."""
        ...

    async def recall(self, room_id: RoomID) -> None:
        """Put the events that were set aside back into their lane: their room is known now."""
        ...

    async def quarantine(self, item: InboxItem, error: str) -> None: ...

    async def forget_handled(self, before: datetime, *, limit: int) -> int:
        """Delete up to ``limit`` rows handled before a time, and return how many there were."""
        ...


class Work(Protocol):
    """One database transaction that sees one tenant."""

    @property
    def tenants(self) -> Tenants: ...
    @property
    def rooms(self) -> Rooms: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def people(self) -> People: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def person_tasks(self) -> PersonTasks: ...
    @property
    def erasures(self) -> Erasures: ...
    @property
    def events(self) -> TenantEvents: ...
    @property
    def alliances(self) -> Alliances: ...
    @property
    def tickets(self) -> Tickets: ...

    def on_behalf_of(self, actor: Actor) -> "Act":
        """Return this same transaction as one that changes something on behalf of ``actor``."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[object]:
        """Undo only what the block did when it raises."""
        ...


class Act(Work, Protocol):
    """A transaction that changes something on somebody's behalf: it must leave an audit row or it is undone."""

    async def audit(self, *entries: AuditEntry) -> None: ...

    def nothing_changed(self) -> None:
        """Say that the act turned out to change nothing, so that no audit row is owed."""
        ...


class Database(Protocol):
    """Where transactions come from, and the few questions across tenants."""

    def work(self, tenant_id: TenantID) -> AbstractAsyncContextManager[Work]:
        """Read, or do the bridge's own bookkeeping: queues and the read model."""
        ...

    def act(self, tenant_id: TenantID, actor: Actor) -> AbstractAsyncContextManager[Act]:
        """Change state on behalf of ``actor``: state, audit row and outbox rows are one transaction."""
        ...

    async def list_tenants(self, *, after: TenantID | None, limit: int) -> Sequence[TenantSummary]: ...

    async def tenants_due(self, *, verify_seconds: float, look_seconds: float) -> Sequence[TenantDue]:
        """Return tenants that do not stand as desired, as far as we know, and some that were not read for long.

        ``verify_seconds`` is how often each tenant is to be read, ``look_seconds`` how often this is asked.
        """
        ...

    async def known_rooms(self, room_ids: Sequence[RoomID]) -> frozenset[RoomID]:
        """Return those of the rooms that are some tenant's."""
        ...

    async def tenant_of_room(self, room_id: RoomID) -> TenantID | None: ...

    async def tenant_of_job(self, job_id: JobID) -> TenantID | None: ...

    async def tenants_of_person(self, member_id: MemberID) -> Sequence[TenantRole]: ...

    async def suspended_tenants_of(self, member_ids: Collection[MemberID]) -> Sequence[TenantID]:
        """Return the suspended tenants that any of these people belong to."""
        ...

    async def tenants_to_remove(self, now: datetime) -> Sequence[TenantID]:
        """Return the tenants whose time of grace is over and which are not removed yet."""
        ...

    async def tenant_ids_of_person(self, member_id: MemberID) -> Sequence[TenantID]: ...

    async def hosts_of_person(self, member_id: MemberID) -> Sequence[TenantID]:
        """Return the tenants in whose alliances a partner has chosen this person."""
        ...

    async def sides_of_alliance(self, alliance_id: AllianceID) -> tuple[TenantID, TenantID] | None:
        """Return owner and partner of an alliance."""
        ...

    async def present_members(self, tenant_id: TenantID, member_ids: Collection[MemberID]) -> frozenset[MemberID]:
        """Return those of these people who are in a tenant; nobody while it is not active."""
        ...

    async def standings(self, member_ids: Collection[MemberID]) -> Sequence[Standing]: ...

    async def allowed_origins(self, member_id: MemberID | None) -> frozenset[str]:
        """Return the origins that the active tenants of a person allow, or those of all active tenants."""
        ...

    async def staff_tickets(
        self, *, status: TicketStatus | None, assignee: MemberID | None, after: TicketID | None, limit: int
    ) -> Sequence[tuple[TenantID, TicketID]]:
        """Return the tickets of all tenants that ask BitNexus's staff, the oldest first."""
        ...

    async def tenants_with_staff_tickets(self) -> Sequence[TenantID]: ...

    async def person_of_user(self, user_id: UserID) -> Person | None: ...

    async def find_integration(self, secret_sha256: bytes) -> IntegrationCredential | None: ...


class Sessions(Protocol):
    """Sessions of people."""

    async def epoch(self, member_id: MemberID) -> int:
        """Return how often all sessions of a person were ended; a session belongs to the epoch it was begun in."""
        ...

    async def add(
        self, *, token_sha256: bytes, member_id: MemberID, device_id: DeviceID, expires_at: datetime, epoch: int
    ) -> bool:
        """Store a session; False, and nothing is stored, when all sessions were ended since ``epoch`` was read."""
        ...

    async def find(self, token_sha256: bytes) -> SessionCredential | None:
        """Return whose session it is, while its person may use anything."""
        ...

    async def remove(self, session_id: str) -> None: ...

    async def use_token_once(self, *, iss: str, jti: str, expires_at: datetime) -> bool:
        """Remember a signed token; False when it was used before."""
        ...

    async def forget_expired(self) -> int:
        """Delete sessions that are over and signed tokens that nobody accepts any more; return how many there were."""
        ...

    async def forget_token(self, *, iss: str, jti: str) -> None:
        """Take back the use of a token that opened nothing."""
        ...


class Lanes(Protocol):
    """Ordered work: a lane is held by one worker at a time."""

    async def claim(
        self,
        queue: Queue,
        *,
        limit: int,
        lease_seconds: float,
        held: Mapping[TenantID | None, int],
        most_per_tenant: int,
    ) -> Sequence[Lane]:
        """Take lanes that have work; tenants take turns, and none comes to hold more than ``most_per_tenant``."""
        ...

    async def renew(self, lane: Lane, *, lease_seconds: float) -> bool: ...

    async def hurry(self) -> None:
        """Have lanes that wait for something that was away tried now; what failed for itself keeps waiting."""
        ...

    async def release(
        self,
        lane: Lane,
        *,
        retry_after_seconds: float | None = None,
        new_head_after_seconds: float | None = None,
        error: str | None = None,
        is_fault: bool = False,
    ) -> bool:
        """Let go of a lane, and return whether it has more work that is due now.

        ``retry_after_seconds`` says that its head failed and when to try again; ``new_head_after_seconds`` counts
        instead where the lane's items went on since it was claimed.
        """
        ...


class Gaps(Protocol):
    """How far the homeserver's streams were compared with the inbox."""

    async def position(self, stream: StreamName) -> int: ...

    async def store(self, stream: StreamName, page: StreamPage, *, reason: RepairReason) -> int:
        """Put what is missing of a page into the inbox, with its position; return how much was missing."""
        ...


class EventStream(Protocol):
    """What the homeserver stored of our rooms; each may raise DependencyDown or HomeserverRefused."""

    async def present(self) -> StreamEnds: ...

    async def read(self, stream: StreamName, *, after: int, until: int | None, limit: int) -> StreamPage: ...


class Homeserver(Protocol):
    """The Matrix acts that we make; each may raise DependencyDown (try again) or HomeserverRefused (do not)."""

    async def register(self, user_id: UserID) -> None: ...

    async def set_display_name(self, user_id: UserID, display_name: str) -> None: ...

    async def set_avatar(self, user_id: UserID, avatar_url: str) -> None: ...

    async def create_room(self, effect: CreateRoom) -> RoomID: ...

    async def find_room(
        self, effect: CreateRoom, known: Callable[[Sequence[RoomID]], Awaitable[frozenset[RoomID]]]
    ) -> RoomID | None:
        """Look for a room that an earlier, unanswered creation made; ``known`` says which rooms need no look."""
        ...

    async def set_state(self, room_id: RoomID, event_type: str, state_key: str, content: JsonObject) -> EventID: ...

    async def invite(
        self, room_id: RoomID, user_id: UserID, *, inviter: UserID | None = None, is_direct: bool = False
    ) -> None:
        """Invite a user in somebody's name, else in a creator's."""
        ...

    async def leave(self, room_id: RoomID, user_id: UserID) -> None: ...

    async def account_data(self, user_id: UserID, data_type: str) -> JsonObject:
        """Return what a person's clients keep under a type; empty where they keep nothing."""
        ...

    async def set_account_data(self, user_id: UserID, data_type: str, content: JsonObject) -> None: ...

    async def join(self, room_id: RoomID, user_id: UserID) -> None: ...

    async def kick(self, room_id: RoomID, user_id: UserID) -> None: ...

    async def room_state(self, room_id: RoomID, *, viewer: UserID | None = None) -> Sequence[MatrixEvent]:
        """Return a room's state as a creator sees it, or ``viewer``, where our creators have left it."""
        ...

    async def send(
        self, room_id: RoomID, sender: UserID, event_type: str, content: JsonObject, *, txn_id: TxnID
    ) -> EventID: ...

    async def find_sent(
        self, room_id: RoomID, sender: UserID, delivery_id: DeliveryID, *, since: datetime
    ) -> EventID | None:
        """Look in the room's timeline, back to ``since``, for the event with this delivery id."""
        ...

    async def can_write(self) -> bool:
        """Say whether the homeserver stores anything at all at present."""
        ...

    async def set_typing(self, room_id: RoomID, sender: UserID, *, typing: bool) -> None: ...

    async def log_in(self, user_id: UserID, device_id: DeviceID | None) -> Login: ...

    async def log_out(self, user_id: UserID, device_id: DeviceID) -> None: ...

    async def timeline(
        self, room_id: RoomID, *, sender: UserID | None, position: str | None, limit: int
    ) -> TimelinePage:
        """Return a piece of a room's timeline, newest first: what says something still, of one sender or of all."""
        ...

    async def memberships(self, room_id: RoomID, user_id: UserID, *, position: str | None, limit: int) -> TimelinePage:
        """Return a piece of a room's memberships, newest first: those of one user, whoever has set them."""
        ...

    async def redact(self, room_id: RoomID, event_id: EventID) -> None:
        """Redact an event as the creator; one that is redacted already is as good."""
        ...

    async def deactivate(self, user_id: UserID) -> None:
        """End an account for good: no name, no picture, no devices, in no room."""
        ...

    async def log_out_everywhere(self, user_id: UserID) -> None:
        """Delete every device of a user: tokens end at once, and a sync that waits returns empty."""
        ...


class Expiry(Protocol):
    """Our module in the homeserver; raises DependencyDown (try again) or HomeserverRefused (do not)."""

    async def put(self, *, expired: Collection[UserID], restored: Collection[UserID]) -> None:
        """Have accounts refused from now on, and others no longer; the same again is as good."""
        ...


class Assistant(Protocol):
    """A language model that answers in pieces; raises DependencyDown when it cannot."""

    name: str
    model: str
    is_configured: bool

    def answer(self, turns: Sequence[Turn]) -> AsyncGenerator[str, None]: ...


class TokenVerifier(Protocol):
    """Verifies signed tokens; raises UnknownCredential."""

    def verify(self, token: str) -> VerifiedToken: ...


class Clock(Protocol):
    """The time, so that decisions can be tested."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class Entropy(Protocol):
    """Unguessable values."""

    def localpart(self) -> str: ...

    def token(self) -> str: ...
