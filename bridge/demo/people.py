"""Who and what the demo is seeded with: two tenants, their rooms and people, and the staff of BitNexus."""

from dataclasses import dataclass

from bridge.model.tenant import Access, Role, RoomType


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPerson:
    """A person, as BitNexus would push them."""

    user_id: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRoom:
    """A room of a tenant; ``members`` matter where access is by invitation."""

    key: str
    type: RoomType
    name: str
    topic: str
    access: Access = Access.TENANT
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMessage:
    """Something that a person says at the first start; ``message_id`` keeps it from being said twice."""

    message_id: str
    room_key: str
    user_id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTenant:
    """A tenant with its people by role; the first listed member is in this tenant alone."""

    tenant_id: str
    name: str
    rooms: tuple[DemoRoom, ...]
    people: tuple[tuple[DemoPerson, Role], ...]
    messages: tuple[DemoMessage, ...]


_BOTH = DemoPerson(user_id="maya", display_name="Maya Lindgren")

SUPER_ADMINS = (
    DemoPerson(user_id="sam", display_name="Sam Okafor (BitNexus)"),
    DemoPerson(user_id="tara", display_name="Tara Weiss (BitNexus)"),
)


def _rooms(*, leaders: tuple[str, ...]) -> tuple[DemoRoom, ...]:
    return (
        DemoRoom(key="general", type=RoomType.GENERAL, name="General", topic="Everything that concerns everybody"),
        DemoRoom(
            key="announcements",
            type=RoomType.ANNOUNCEMENT,
            name="Announcements",
            topic="News; the team writes, all read",
        ),
        DemoRoom(key="support", type=RoomType.SUPPORT, name="Support", topic="Ask here; somebody answers"),
        DemoRoom(
            key="leadership",
            type=RoomType.CUSTOM,
            name="Leadership",
            topic="Those who run the place",
            access=Access.INVITE,
            members=leaders,
        ),
    )


_ACME = DemoTenant(
    tenant_id="acme",
    name="Acme Robotics",
    rooms=_rooms(leaders=("anna", "ben", "chloe")),
    people=(
        (DemoPerson(user_id="anna", display_name="Anna Novak"), Role.OWNER),
        (DemoPerson(user_id="ben", display_name="Ben Carter"), Role.ADMIN),
        (DemoPerson(user_id="chloe", display_name="Chloé Martin"), Role.MODERATOR),
        (DemoPerson(user_id="david", display_name="David Osei"), Role.MEMBER),
        (DemoPerson(user_id="emma", display_name="Emma Rossi"), Role.MEMBER),
        (DemoPerson(user_id="farid", display_name="Farid Haddad"), Role.GUEST),
        (_BOTH, Role.MEMBER),
    ),
    messages=(
        DemoMessage(
            message_id="acme-1",
            room_key="general",
            user_id="anna",
            body="Good morning, and welcome to our new home for talking to each other.",
        ),
        DemoMessage(
            message_id="acme-2", room_key="general", user_id="david", body="Morning! The arm passed its safety test."
        ),
        DemoMessage(message_id="acme-3", room_key="general", user_id="emma", body="Great. I will write that up today."),
        DemoMessage(
            message_id="acme-4",
            room_key="announcements",
            user_id="ben",
            body="The Academy has a new course: Safe work with robots. Please take it by Friday.",
        ),
        DemoMessage(
            message_id="acme-5", room_key="support", user_id="david", body="How do I invite a colleague to a course?"
        ),
        DemoMessage(
            message_id="acme-6", room_key="leadership", user_id="anna", body="Let us go through the plan on Thursday."
        ),
    ),
)

_GLOBEX = DemoTenant(
    tenant_id="globex",
    name="Globex Foods",
    rooms=_rooms(leaders=("gina", "hugo", "ines")),
    people=(
        (DemoPerson(user_id="gina", display_name="Gina Bianchi"), Role.OWNER),
        (DemoPerson(user_id="hugo", display_name="Hugo Almeida"), Role.ADMIN),
        (DemoPerson(user_id="ines", display_name="Inés Ortega"), Role.MODERATOR),
        (DemoPerson(user_id="jonas", display_name="Jonas Berg"), Role.MEMBER),
        (DemoPerson(user_id="kim", display_name="Kim Min-jun"), Role.MEMBER),
        (DemoPerson(user_id="lena", display_name="Lena Vogel"), Role.GUEST),
        (_BOTH, Role.MEMBER),
    ),
    messages=(
        DemoMessage(
            message_id="globex-1", room_key="general", user_id="gina", body="Welcome, everybody. Lunch is at one today."
        ),
        DemoMessage(
            message_id="globex-2", room_key="general", user_id="jonas", body="The first pallets left the harbour."
        ),
        DemoMessage(
            message_id="globex-3", room_key="announcements", user_id="hugo", body="The audit is over, and we passed."
        ),
    ),
)

TENANTS = (_ACME, _GLOBEX)
