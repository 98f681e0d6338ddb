"""Bodies and answers of ``/v1`` (contract: section 2); unknown fields are refused with their path."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}$(?!\n)", description="1 to 64 of a-z, 0-9, '_' and '-'")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Topic = Annotated[str, Meta(max_length=1000)]
Avatar = Annotated[
    str, Meta(pattern=r"^(mxc://[A-Za-z0-9.:\[\]-]{1,230}/[A-Za-z0-9_-]{1,255})?$(?!\n)", description="mxc:// or empty")
]
Group = Annotated[
    str,
    Meta(
        pattern=r"^(?!\s)[^\x00-\x1f\x7f]{0,64}(?<!\s)$(?!\n)",
        description="the name of a sub-space, at most 64 characters; empty: none",
    ),
]
Origin = Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]{1,255}$(?!\n)")]
RoleName = Literal["owner", "admin", "moderator", "member", "guest"]
RoomTypeName = Literal["general", "announcement", "support", "dm", "ai", "alliance", "custom"]
AccessName = Literal["tenant", "invite"]
Chosen = Annotated[tuple[Id, ...], Meta(max_length=200)]
Members = Annotated[tuple[Id, ...], Meta(max_length=5000)]
T = TypeVar("T")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request's body."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's body."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list; ``next`` goes into ``after``, and is null at the end."""

    items: tuple[T, ...]
    next: str | None


class AiSettings(Body, frozen=True, kw_only=True):
    """The assistant in a tenant."""

    enabled: bool = True


class MessageSettings(Body, frozen=True, kw_only=True):
    """Rules for a tenant's messages; none can be set yet."""


class TenantSettingsBody(Body, frozen=True, kw_only=True):
    """What a tenant may set; ``retention_days`` null keeps messages for ever."""

    retention_days: Annotated[int, Meta(ge=1, le=36500)] | None = None
    dms: bool = True
    ai: AiSettings = AiSettings()
    message: MessageSettings = MessageSettings()
    allowed_origins: Annotated[tuple[Origin, ...], Meta(max_length=50)] = ()


class RoomBody(Body, frozen=True, kw_only=True):
    """A room that a tenant shall have; ``members`` lists who is in a room with access ``invite``.

    What ``access`` and ``optional`` leave out comes from the room's type; ``group`` names the sub-space it stands in.
    """

    key: Id
    type: RoomTypeName
    name: Name
    topic: Topic = ""
    access: AccessName | None = None
    optional: bool | None = None
    members: Members = ()
    group: Group = ""
    avatar_url: Avatar = ""


class RoomChangeBody(Body, frozen=True, kw_only=True):
    """A change of a room; what is left out stays as it is."""

    type: RoomTypeName | None = None
    name: Name | None = None
    topic: Topic | None = None
    access: AccessName | None = None
    optional: bool | None = None
    members: Members | None = None
    group: Group | None = None
    avatar_url: Avatar | None = None


class TenantBody(Body, frozen=True, kw_only=True):
    """A tenant as it shall be; what is left out stays as it is."""

    name: Name
    status: Literal["active", "suspended", "archived"] | None = None
    settings: TenantSettingsBody | None = None
    rooms: Annotated[tuple[RoomBody, ...], Meta(max_length=500)] | None = None
    avatar_url: Avatar | None = None


class MemberBody(Body, frozen=True, kw_only=True):
    """A person's membership of a tenant."""

    role: RoleName
    display_name: Name | None = None


class ListedMember(MemberBody, frozen=True, kw_only=True):
    """A person in a tenant's whole list."""

    user_id: Id


class MembersBody(Body, frozen=True, kw_only=True):
    """Everybody who shall be in a tenant: who is missing here is removed."""

    members: Annotated[tuple[ListedMember, ...], Meta(max_length=10_000)]


class RoleBody(Body, frozen=True, kw_only=True):
    """A member's role."""

    role: RoleName


class UserBody(Body, frozen=True, kw_only=True):
    """A person of BitNexus; what is left out stays as it is."""

    display_name: Name | None = None
    super_admin: bool | None = None
    status: Literal["active", "suspended"] | None = None
    avatar_url: Avatar | None = None


class ReconcileBody(Body, frozen=True, kw_only=True):
    """Ask for a reconcile; with the hash of a plan, only if that plan is still the one."""

    plan: str | None = None


class AllianceBody(Body, frozen=True, kw_only=True):
    """An alliance as it shall be; each side's ``members`` are stored whole, and a side that is left out stays."""

    owner_tenant_id: Id
    partner_tenant_id: Id
    name: Name | None = None
    members: dict[Id, Chosen] = {}


class AllianceSpeakerBody(Body, frozen=True, kw_only=True):
    """The tenant that speaks."""

    tenant_id: Id


class IntegrationKeyBody(Body, frozen=True, kw_only=True):
    """An integration key; without ``rooms`` it reaches every room of the tenant."""

    name: Name
    scopes: Annotated[
        tuple[Literal["events:write", "deliveries:read", "webhooks:manage", "directory:read"], ...], Meta(min_length=1)
    ]
    rooms: tuple[Id, ...] | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class SessionBody(Body, frozen=True, kw_only=True):
    """A signed token of the BitNexus backend; ``device_id`` takes up a device of an earlier session."""

    token: Annotated[str, Meta(min_length=1, max_length=8192)]
    device_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._=/+-]{1,64}$(?!\n)")] | None = None


class Target(Body, frozen=True, kw_only=True):
    """Where an event goes."""

    room: Id


class EventBody(Body, frozen=True, kw_only=True):
    """An event of the business; ``id`` is its idempotency key, kept seven days."""

    type: Annotated[str, Meta(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$(?!\n)", max_length=100)]
    to: Annotated[tuple[Target, ...], Meta(min_length=1, max_length=20)]
    id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    op: Literal["post"] = "post"
    subject: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    severity: Literal["info", "ok", "warning", "error", "critical"] = "info"
    title: Annotated[str, Meta(max_length=256)] = ""
    body: Annotated[str, Meta(max_length=8000)] = ""
    data: dict[str, Any] = {}
    mentions: Annotated[tuple[Id, ...], Meta(max_length=50)] = ()


class ChangeAnswer(Answer, frozen=True, kw_only=True):
    """The answer to a change of desired state; ``job_id`` is null when nothing is to do."""

    revision: int
    job_id: str | None


class OffboardAnswer(ChangeAnswer, frozen=True, kw_only=True):
    """The answer to an off-boarding; until ``removes_at`` the tenant can be made active again."""

    status: str
    removes_at: datetime | None


class TenantItem(Answer, frozen=True, kw_only=True):
    """A tenant in a list."""

    tenant_id: str
    name: str
    status: str


class TenantAnswer(Answer, frozen=True, kw_only=True):
    """A tenant as it is desired."""

    tenant_id: str
    name: str
    status: str
    settings: TenantSettingsBody
    rooms: tuple[RoomBody, ...]
    avatar_url: str
    removes_at: datetime | None
    revision: int


class AllianceItem(Answer, frozen=True, kw_only=True):
    """An alliance; ``room_id`` is null until its room stands, ``suspended_by`` has the sides that let it rest."""

    alliance_id: str
    owner_tenant_id: str
    partner_tenant_id: str
    name: str
    state: Literal["proposed", "active", "suspended", "ended"]
    suspended_by: tuple[str, ...]
    members: Mapping[str, tuple[str, ...]]
    room_id: str | None
    accepted_at: datetime | None
    ended_at: datetime | None
    ended_by_tenant_id: str | None
    revision: int


class AllianceChangeAnswer(ChangeAnswer, frozen=True, kw_only=True):
    """The answer to a change of an alliance; ``in_force`` false, with status 202: stored, and the job goes on."""

    alliance_id: str
    state: Literal["proposed", "active", "suspended", "ended"]
    room_id: str | None
    in_force: bool


class MemberItem(Answer, frozen=True, kw_only=True):
    """A person in a tenant."""

    user_id: str
    matrix_id: str
    role: str
    display_name: str


class PersonItem(Answer, frozen=True, kw_only=True):
    """A person as others of the tenant see them."""

    user_id: str
    matrix_id: str
    display_name: str
    avatar_url: str
    role: str


class UserAnswer(Answer, frozen=True, kw_only=True):
    """A person of BitNexus."""

    user_id: str
    matrix_id: str
    display_name: str
    super_admin: bool
    status: str
    avatar_url: str


class ErasureAnswer(Answer, frozen=True, kw_only=True):
    """The receipt of an erasure; ``erased`` counts what was taken away so far."""

    receipt_id: str
    state: str
    asked_at: datetime
    finished_at: datetime | None
    erased: Mapping[str, int]


class EffectItem(Answer, frozen=True, kw_only=True):
    """One thing that reconcile would do; strangers and bots have a ``matrix_id`` alone."""

    effect_id: str
    kind: str
    room_key: str | None
    room_id: str | None
    user_id: str | None
    matrix_id: str | None


class PlanSummary(Answer, frozen=True, kw_only=True):
    """A plan in three numbers."""

    create: int
    change: int
    remove: int


class PlanAnswer(Answer, frozen=True, kw_only=True):
    """What reconcile would do now; empty when all is as desired."""

    hash: str
    effects: tuple[EffectItem, ...]
    summary: PlanSummary


class PowerLevel(Answer, frozen=True, kw_only=True):
    """A person's power level in a room: as it shall be, and as it was last seen; null where there is no such room."""

    desired: int | None
    observed: int | None


class ReasonItem(Answer, frozen=True, kw_only=True):
    """One reason; ``user_id`` and ``matrix_id`` name whom else it is about, bots and strangers by the latter alone."""

    code: str
    sentence: str
    user_id: str | None
    matrix_id: str | None


class ExplainAnswer(Answer, frozen=True, kw_only=True):
    """Why somebody is or is not in a room; ``effects`` are what reconcile would do about them there now."""

    user_id: str
    matrix_id: str | None
    room: str
    room_id: str | None
    belongs: bool
    membership: str | None
    power_level: PowerLevel
    reasons: tuple[ReasonItem, ...]
    effects: tuple[EffectItem, ...]


class JobEffect(Answer, frozen=True, kw_only=True):
    """An effect of a job and what became of it; strangers and bots have a ``matrix_id`` alone."""

    effect_id: str
    kind: str
    room_id: str | None
    user_id: str | None
    matrix_id: str | None
    state: str
    error: str | None


class JobAnswer(Answer, frozen=True, kw_only=True):
    """A reconcile under way or over."""

    job_id: str
    state: Literal["queued", "running", "done", "failed"]
    done: int
    total: int
    error: str | None
    effects: tuple[JobEffect, ...]


class IntegrationKeyItem(Answer, frozen=True, kw_only=True):
    """An integration key, without its secret."""

    key_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    rooms: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None


class IntegrationKeySecret(IntegrationKeyItem, frozen=True, kw_only=True):
    """A new integration key; its secret is shown this once."""

    key: str


class SessionTenant(Answer, frozen=True, kw_only=True):
    """A tenant of the person who signed in."""

    tenant_id: str
    name: str
    role: str
    space_id: str | None


class SessionAnswer(Answer, frozen=True, kw_only=True):
    """What a client works with; ``expires_in`` is the access token's, in seconds."""

    user_id: str
    matrix_id: str
    access_token: str
    device_id: str
    homeserver_url: str
    session_token: str
    expires_in: int
    tenants: tuple[SessionTenant, ...]


class AiRoomAnswer(Answer, frozen=True, kw_only=True):
    """A person's own room with the assistant; ``room_id`` is null until the job has made it."""

    key: str
    name: str
    room_id: str | None
    job_id: str | None


class DirectChatBody(Body, frozen=True, kw_only=True):
    """With whom a direct chat is wanted."""

    user_id: Id


class DirectChatAnswer(Answer, frozen=True, kw_only=True):
    """The direct chat of two people; ``room_id`` is null until the job has made it."""

    key: str
    room_id: str | None
    revision: int
    job_id: str | None


class DeliveryItem(Answer, frozen=True, kw_only=True):
    """A delivery that was accepted."""

    delivery_id: str
    status_url: str


class DeliveriesAnswer(Answer, frozen=True, kw_only=True):
    """The deliveries of an event, one for each room."""

    deliveries: tuple[DeliveryItem, ...]


class DeliveryAnswer(Answer, frozen=True, kw_only=True):
    """What became of a delivery."""

    delivery_id: str
    state: Literal["queued", "delivered", "dead"]
    room: str
    room_id: str
    type: str
    event_id: str | None
    error: str | None


class RenderedRoom(Answer, frozen=True, kw_only=True):
    """A message as it would be sent."""

    room: str
    content: Any


class PreviewAnswer(Answer, frozen=True, kw_only=True):
    """What an event would look like; nothing was sent."""

    rendered: tuple[RenderedRoom, ...]


class ErrorAnswer(Answer, frozen=True, kw_only=True):
    """A Matrix standard error; ``path`` names the field where there is one, ``plan`` asks for a confirmation."""

    errcode: str
    error: str
    path: str | None = None
    retry_after_ms: int | None = None
    plan: PlanAnswer | None = None


class HealthAnswer(Answer, frozen=True, kw_only=True):
    """How this process and what it needs are."""

    status: Literal["ok", "unavailable", "draining"]
    dependencies: dict[str, bool] = {}
