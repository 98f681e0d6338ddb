"""What the rules look at: frozen data read from events and room state, nothing of Synapse.

Everything read here was written by somebody, so nothing is trusted: what does not have the expected shape reads as
absent, and absence is never a permission.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

MARKER_TYPE: Final = "com.bitnexus.room"
MEMBER_TYPE: Final = "m.room.member"
SPACE: Final = "space"
DIRECT_MESSAGE: Final = "dm"
ALLIANCE: Final = "alliance"

Content = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Our own accounts, compared byte for byte: creators of every room, and bots that only speak."""

    creators: frozenset[str]
    bots: frozenset[str]

    def __contains__(self, user_id: str) -> bool:
        return user_id in self.creators or user_id in self.bots


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that somebody wants to send; ``state_key`` is None when it is no state event."""

    type: str
    sender: str
    state_key: str | None
    content: Content
    redacts: frozenset[str] = frozenset()
    """The events that it redacts, wherever its room version writes them."""

    @property
    def membership(self) -> str | None:
        """Give the membership that the event sets, or None when it has none that is text."""
        return _text(self.content, "membership")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person's present membership of a room, and who set it."""

    membership: str
    sender: str

    @classmethod
    def read(cls, sender: str, content: Content) -> Self | None:
        """Read an ``m.room.member`` event, or None when it has no membership."""
        membership = _text(content, "membership")
        return cls(membership=membership, sender=sender) if membership else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """The state event by which we say whose room this is; ``space_id`` is None in the space itself."""

    tenant_id: str
    type: str
    space_id: str | None
    outsiders: frozenset[str] = frozenset()
    """Who may be in the room without being in the space: a partner's people, BitNexus's staff."""
    partner_tenant_id: str | None = None
    """In an alliance's room: the tenant that those from outside belong to."""

    @classmethod
    def read(cls, sender: str, content: Content, ours: Ours) -> Self | None:
        """Read a ``com.bitnexus.room`` event, or None when it is not ours or not whole."""
        tenant_id, room_type = _text(content, "tenant_id"), _text(content, "type")
        if sender not in ours.creators or tenant_id is None or room_type is None:
            return None
        if room_type == SPACE:
            return cls(tenant_id=tenant_id, type=room_type, space_id=None)
        space_id = _text(content, "space_id")
        if space_id is None:
            return None
        return cls(
            tenant_id=tenant_id,
            type=room_type,
            space_id=space_id,
            outsiders=_ids(content, "outsiders"),
            partner_tenant_id=_text(content, "partner_tenant_id"),
        )

    def is_space_of(self, tenant_id: str) -> bool:
        """Say whether this marks the space of that tenant."""
        return self.type == SPACE and self.tenant_id == tenant_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room as far as one decision needs it; what was not read stays at its refusing default."""

    marker: Marker | None = None
    member: Member | None = None
    """The present membership of the person whom the decision is about."""
    in_space: bool = False
    """Whether that person is joined to the space of the room's tenant."""
    protected_event_ids: frozenset[str] = field(default=frozenset())
    """The room's present state events that nobody but a creator may redact."""

    def admits(self, user_id: str) -> bool:
        """Say whether that person belongs here: by the tenant's space, or as somebody from outside whom we name."""
        return self.in_space or (self.marker is not None and user_id in self.marker.outsiders)


def _ids(content: Content, key: str) -> frozenset[str]:
    value = content.get(key)
    return (
        frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else frozenset()
    )


def _text(content: Content, key: str) -> str | None:
    value = content.get(key)
    return value if isinstance(value, str) and value else None
