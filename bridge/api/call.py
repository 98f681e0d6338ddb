"""One request on its way through: what it carries, and the actions that it may call."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeVar

from aiohttp import web

from bridge.actions.change_integration_keys import CreateIntegrationKey, ListIntegrationKeys, RevokeIntegrationKey
from bridge.actions.change_role import ChangeRole
from bridge.actions.change_rooms import AddRoom, ArchiveRoom, ChangeRoom
from bridge.actions.change_ticket import ChangeTicket
from bridge.actions.erase_person import AskForErasure
from bridge.actions.explain_membership import ExplainMembership
from bridge.actions.hold_tenant import Administrator
from bridge.actions.offboard_tenant import OffboardTenant
from bridge.actions.open_ai_room import OpenAiRoom
from bridge.actions.open_direct_chat import OpenDirectChat
from bridge.actions.open_session import CloseSession, OpenSession
from bridge.actions.open_ticket import OpenTicket
from bridge.actions.plan_tenant import PlanTenant
from bridge.actions.put_alliance import PutAlliance
from bridge.actions.put_member import PutMember
from bridge.actions.put_person import PutPerson
from bridge.actions.relay_event import PreviewEvent, RelayEvent, ShowDelivery
from bridge.actions.remove_member import RemoveMember
from bridge.actions.replace_members import ReplaceMembers
from bridge.actions.search_people import SearchPeople
from bridge.actions.show_alliance import ListAlliances, ShowAlliance
from bridge.actions.show_tenant import ListTenants, RequestReconcile, ShowJob, ShowPerson, ShowTenant
from bridge.actions.show_tickets import ListStaffTickets, ListTickets, ShowTicket, ShowTicketFigures
from bridge.actions.speak_on_alliance import SpeakOnAlliance
from bridge.actions.upsert_tenant import UpsertTenant
from bridge.errors import InvalidInput
from bridge.model.credential import Credential, IntegrationCredential, PlatformCredential, SessionCredential
from bridge.model.ids import TenantID, parse_tenant_id

B = TypeVar("B")

Probe = Callable[[], Awaitable[bool]]
"""Says whether something that we need answers now."""

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Every action that a route calls."""

    upsert_tenant: UpsertTenant
    show_tenant: ShowTenant
    list_tenants: ListTenants
    plan_tenant: PlanTenant
    request_reconcile: RequestReconcile
    show_job: ShowJob
    offboard_tenant: OffboardTenant
    add_room: AddRoom
    change_room: ChangeRoom
    archive_room: ArchiveRoom
    explain_membership: ExplainMembership
    put_member: PutMember
    remove_member: RemoveMember
    replace_members: ReplaceMembers
    change_role: ChangeRole
    put_person: PutPerson
    show_person: ShowPerson
    search_people: SearchPeople
    ask_for_erasure: AskForErasure
    create_integration_key: CreateIntegrationKey
    list_integration_keys: ListIntegrationKeys
    revoke_integration_key: RevokeIntegrationKey
    open_session: OpenSession
    close_session: CloseSession
    open_ai_room: OpenAiRoom
    open_direct_chat: OpenDirectChat
    put_alliance: PutAlliance
    speak_on_alliance: SpeakOnAlliance
    show_alliance: ShowAlliance
    list_alliances: ListAlliances
    open_ticket: OpenTicket
    change_ticket: ChangeTicket
    list_tickets: ListTickets
    show_ticket: ShowTicket
    list_staff_tickets: ListStaffTickets
    show_ticket_figures: ShowTicketFigures
    relay_event: RelayEvent
    preview_event: PreviewEvent
    show_delivery: ShowDelivery
    probes: Mapping[str, Probe]
    is_draining: Callable[[], bool]
    """Says whether this process is being stopped."""
    homeserver_url: str
    public_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose credential was checked and whose body was read into its type."""

    request: web.Request
    actions: Actions
    credential: Credential | None
    body: Any
    raw_body: bytes

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return self.request.match_info[name]

    @property
    def tenant_id(self) -> TenantID:
        """The tenant that the path names; raises InvalidInput."""
        return parse_tenant_id(self.path("tenant_id"), path="tenant_id")

    def body_as(self, kind: type[B]) -> B:
        """Return the body, which the route declares to be of this kind."""
        if not isinstance(self.body, kind):  # pragma: no cover - the route table and the handler agree, by a test
            raise TypeError(f"the route does not declare {kind.__name__}")
        return self.body

    @property
    def limit(self) -> int:
        """How many items the caller wants; raises InvalidInput."""
        found = self.number("limit", least=1, most=MAX_LIMIT)
        return DEFAULT_LIMIT if found is None else found

    def number(self, name: str, *, least: int, most: int) -> int | None:
        """Return a query parameter that is a number, None when it is not given; raises InvalidInput."""
        text = self.request.query.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
            raise InvalidInput(f"{name} must be a number from {least} to {most}", path=name)
        return int(text)

    def flag(self, name: str) -> bool:
        """Return a query parameter that is ``true`` or ``false``; raises InvalidInput."""
        text = self.request.query.get(name, "false")
        if text not in {"true", "false"}:
            raise InvalidInput(f"{name} must be true or false", path=name)
        return text == "true"

    @property
    def platform(self) -> PlatformCredential:
        """The credential of a route that only the platform reaches."""
        return _credential_as(self.credential, PlatformCredential)

    @property
    def administrator(self) -> Administrator:
        """The credential of a route that the platform reaches, and a tenant's owners and admins."""
        if isinstance(self.credential, PlatformCredential):
            return self.credential
        return _credential_as(self.credential, SessionCredential)

    @property
    def integration(self) -> IntegrationCredential:
        """The credential of a route that only integrations reach."""
        return _credential_as(self.credential, IntegrationCredential)

    @property
    def session(self) -> SessionCredential:
        """The credential of a route that only people reach."""
        return _credential_as(self.credential, SessionCredential)

    @property
    def asker(self) -> SessionCredential | IntegrationCredential:
        """The credential of a route that people reach, and integrations on behalf of people."""
        if isinstance(self.credential, IntegrationCredential):
            return self.credential
        return _credential_as(self.credential, SessionCredential)


def _credential_as(credential: Credential | None, kind: type[B]) -> B:
    if not isinstance(credential, kind):  # pragma: no cover - the route table admits no other
        raise TypeError(f"the route does not ask for a {kind.__name__}")
    return credential


CredentialKind = Literal["platform", "integration", "session"]
Handler = Callable[[Call], Awaitable[Any]]


class Noun(Enum):
    """What a route is about: the headings of the documentation."""

    TENANTS = "Tenants"
    ROOMS = "Rooms"
    MEMBERS = "Members"
    USERS = "Users"
    JOBS = "Jobs"
    ALLIANCES = "Alliances"
    KEYS = "Integration keys"
    SESSIONS = "Sessions"
    PEOPLE = "People"
    TICKETS = "Tickets"
    EVENTS = "Events"
    OPERATION = "Operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the route table; a route without credentials is open to anybody, and a test lists those."""

    method: Literal["GET", "PUT", "POST", "PATCH", "DELETE"]
    path: str
    handler: Handler
    noun: Noun
    summary: str
    credentials: frozenset[CredentialKind] = frozenset()
    body: type[Any] | None = None
    answer: type[Any] | None = None
    status: int = 200
    query: tuple[str, ...] = ()
