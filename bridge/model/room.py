"""What stands in Matrix: observed rooms, people and memberships; and what is desired of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.model.ids import RoomID, RoomKey, TenantID, UserID
from bridge.model.json import JsonObject

Membership = Literal["invite", "join", "leave", "ban", "knock"]
StateKey = tuple[str, str]
"""An event type and a state key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bots:
    """The application service's own users; none of them is ever a person."""

    creator: UserID
    keeper: UserID
    relay: UserID
    assistant: UserID

    @property
    def creators(self) -> frozenset[UserID]:
        """Those who create rooms; in room version 12 their power has no level."""
        return frozenset({self.creator, self.keeper})

    @property
    def all(self) -> frozenset[UserID]:
        """Every bot of ours."""
        return self.creators | {self.relay, self.assistant}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomKind:
    """What a room of ours is for (a RoomType, ``space`` or ``group``), and whether it is one person's own."""

    type: str
    personal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectChat:
    """A direct chat as one of its two people has it; ``is_inside`` says whether they are in it now."""

    room_id: RoomID
    other: UserID
    is_inside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixHouse:
    """Facts about the homeserver that rooms are laid out with."""

    server_name: str
    room_version: str
    bots: Bots


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedMembership:
    """One person's membership of a room, and who set it."""

    membership: Membership
    sender: UserID


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRoom:
    """A room as Matrix has it, without its memberships in ``state``."""

    room_id: RoomID
    key: RoomKey
    state: Mapping[StateKey, JsonObject]
    members: Mapping[UserID, ObservedMembership]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPerson:
    """A person's account as Synapse has it."""

    registered: bool
    profile_name: str | None
    profile_avatar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything of one tenant that stands in Matrix."""

    rooms: Mapping[RoomKey, ObservedRoom]
    people: Mapping[UserID, ObservedPerson]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRoom:
    """A room as it shall stand; ids of rooms that do not exist yet are ``!pending:key``."""

    key: RoomKey
    creation_content: JsonObject
    state: Mapping[StateKey, JsonObject]
    bots: frozenset[UserID]
    people: frozenset[UserID]
    archived: bool = False
    takes_back: bool = True
    """Whether who leaves by themselves is joined again."""
    is_direct: bool = False
    """Whether clients are told that it is a direct chat."""
    without_bots: bool = False
    """Whether our bots leave it once everybody is inside and all is as desired: a direct chat has two members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything of one tenant as it shall stand in Matrix."""

    tenant_id: TenantID
    rooms: Mapping[RoomKey, DesiredRoom]
    people: Mapping[UserID, str] = field(default_factory=dict[UserID, str])
    """Display names by user id."""
    avatars: Mapping[UserID, str] = field(default_factory=dict[UserID, str])
    """Pictures of those people who have one, by user id."""
