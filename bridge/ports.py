"""What the actions need of the world: a transaction with its stores, the homeserver, the assistant, a clock."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol

from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationCredential, IntegrationKey, SessionCredential
from bridge.model.effect import CreateRoom, Effect
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
    DeliveryID,
    DeviceID,
    EventID,
    JobID,
    MemberID,
    OutboxID,
    RoomID,
    RoomKey,
    TenantID,
    TxnID,
    UserID,
)
from bridge.model.job import Job, Lane
from bridge.model.json import JsonObject
from bridge.model.room import Observed, RoomKind
from bridge.model.session import Login, Turn, VerifiedToken
from bridge.model.stream import RepairReason, StreamEnds, StreamName, StreamPage
from bridge.model.tenant import Person, Role, Room, Tenant, TenantRole, TenantSettings, TenantStatus, TenantSummary

Queue = Literal["inbox", "outbox", "reconcile"]


class Tenants(Protocol):
    """Desired state of the transaction's tenant."""

    async def lock(self) -> None:
        """Hold the tenant until the transaction ends, so that changes of it come one after another."""
        ...

    async def find(self) -> Tenant | None: ...

    async def save(
        self, *, name: str, status: TenantStatus, settings: TenantSettings, revision: int, rooms: Sequence[Room]
    ) -> None: ...

    async def save_room(self, room: Room) -> None: ...

    async def save_member(self, member_id: MemberID, role: Role) -> None: ...

    async def remove_member(self, member_id: MemberID) -> None: ...

    async def bump_revision(self) -> int: ...


class Rooms(Protocol):
    """What stands in Matrix of the transaction's tenant, and the read model of it."""

    async def observed(self) -> Observed: ...

    async def room_ids(self) -> Mapping[RoomKey, RoomID]: ...

    async def find_kind(self, room_id: RoomID) -> RoomKind | None: ...

    async def find_addressed(
        self, room_keys: Sequence[RoomKey], member_ids: Sequence[MemberID]
    ) -> tuple[Mapping[RoomKey, RoomID], Mapping[MemberID, UserID]]:
        """Return those of the rooms and of the people that an event may name: what is open and made, and members."""
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

    async def enqueue(self, revision: int) -> JobID:
        """Ask for a reconcile; one that is queued already serves for this one too."""
        ...

    async def find(self, job_id: JobID) -> Job | None: ...

    async def next_open(self) -> JobID | None: ...

    async def begin(self, lane: Lane, job_id: JobID, effects: Sequence[Effect]) -> int:
        """Mark a job running with these effects ahead of it, behind those tried before; return the first's position.

        The lane must still be held.
        """
        ...

    async def record_effect(
        self, lane: Lane, job_id: JobID, position: int, *, room_id: RoomID | None, error: str | None
    ) -> None:
        """Record what became of an effect; the lane must still be held."""
        ...

    async def finish(self, lane: Lane, job_id: JobID, *, error: str | None) -> None: ...

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

    async def list_all(self) -> Sequence[IntegrationKey]: ...

    async def revoke(self, key_id: str) -> bool: ...


class People(Protocol):
    """People of BitNexus, whatever tenants they are in."""

    async def find(self, member_id: MemberID) -> Person | None: ...

    async def save(self, person: Person) -> None: ...

    async def member_ids(self, user_ids: Sequence[UserID]) -> Mapping[UserID, MemberID]:
        """Return the BitNexus ids behind Matrix ids; strangers and bots have none."""
        ...

    async def record_registered(self, user_id: UserID) -> None: ...

    async def record_profile_name(self, user_id: UserID, display_name: str) -> None: ...


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

    def savepoint(self) -> AbstractAsyncContextManager[object]:
        """Undo only what the block did when it raises."""
        ...


class Act(Work, Protocol):
    """A transaction that changes something on somebody's behalf: it must leave an audit row or it is undone."""

    async def audit(self, entry: AuditEntry) -> None: ...

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

    async def tenant_of_room(self, room_id: RoomID) -> TenantID | None: ...

    async def tenant_of_job(self, job_id: JobID) -> TenantID | None: ...

    async def tenants_of_person(self, member_id: MemberID) -> Sequence[TenantRole]: ...

    async def allowed_origins(self, member_id: MemberID | None) -> frozenset[str]:
        """Return the origins that the active tenants of a person allow, or those of all active tenants."""
        ...

    async def person_of_user(self, user_id: UserID) -> Person | None: ...

    async def find_integration(self, secret_sha256: bytes) -> IntegrationCredential | None: ...


class Sessions(Protocol):
    """Sessions of people."""

    async def add(
        self, *, token_sha256: bytes, member_id: MemberID, device_id: DeviceID, expires_at: datetime
    ) -> None: ...

    async def find(self, token_sha256: bytes) -> SessionCredential | None: ...

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

    async def create_room(self, effect: CreateRoom) -> RoomID: ...

    async def find_room(self, effect: CreateRoom, *, known: frozenset[RoomID]) -> RoomID | None:
        """Look for a room that an earlier, unanswered creation made."""
        ...

    async def set_state(self, room_id: RoomID, event_type: str, state_key: str, content: JsonObject) -> EventID: ...

    async def invite(self, room_id: RoomID, user_id: UserID) -> None: ...

    async def join(self, room_id: RoomID, user_id: UserID) -> None: ...

    async def kick(self, room_id: RoomID, user_id: UserID) -> None: ...

    async def room_state(self, room_id: RoomID) -> Sequence[MatrixEvent]: ...

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
