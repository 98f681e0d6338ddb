"""Ids and their grammar: Matrix ids from mautrix, BitNexus ids of our own, never a bare string."""

import re
from typing import NewType

from mautrix.types import DeviceID, EventID, RoomID, UserID

from bridge.errors import InvalidInput

__all__ = [
    "AccessToken",
    "AllianceID",
    "DeliveryID",
    "DeviceID",
    "EffectID",
    "EventID",
    "JobID",
    "MemberID",
    "OutboxID",
    "RoomID",
    "RoomKey",
    "TenantID",
    "TicketID",
    "TxnID",
    "UserID",
    "alliance_key",
    "alliance_of_key",
    "group_key",
    "group_of_key",
    "is_space_key",
    "parse_alliance_id",
    "parse_member_id",
    "parse_room_key",
    "parse_tenant_id",
]

TenantID = NewType("TenantID", str)
MemberID = NewType("MemberID", str)
"""A BitNexus person's id: what ``/v1`` calls ``user_id``. ``UserID`` is the Matrix one."""
RoomKey = NewType("RoomKey", str)
"""A room's name inside its tenant, such as ``general``; ``@space`` is its space, ``@group:Sales`` a group's in it."""
AllianceID = NewType("AllianceID", str)
JobID = NewType("JobID", str)
EffectID = NewType("EffectID", str)
OutboxID = NewType("OutboxID", int)
DeliveryID = NewType("DeliveryID", str)
TicketID = NewType("TicketID", str)
TxnID = NewType("TxnID", str)
AccessToken = NewType("AccessToken", str)

SPACE = RoomKey("@space")
"""The key of a tenant's space; outside the grammar of room keys, so that no room can take it."""

_GROUP_PREFIX = "@group:"
_ALLIANCE_PREFIX = "alliance_"

PLATFORM = TenantID("*")
"""Whose audit chain platform-wide acts stand in; outside the grammar of tenant ids."""

_ID = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)
_ID_RULE = "1 to 64 characters of a-z, 0-9, '_' and '-'"


def _parse(value: str, *, what: str, path: str) -> str:
    if not _ID.fullmatch(value):
        shown = value[:80].encode("unicode_escape").decode("ascii")
        raise InvalidInput(f"{what} must be {_ID_RULE}, not '{shown}'", path=path)
    return value


def parse_tenant_id(value: str, *, path: str = "$.tenant_id") -> TenantID:
    """Return ``value`` as a tenant id, or raise InvalidInput naming ``path``."""
    return TenantID(_parse(value, what="a tenant_id", path=path))


def parse_member_id(value: str, *, path: str = "$.user_id") -> MemberID:
    """Return ``value`` as a BitNexus user id, or raise InvalidInput naming ``path``."""
    return MemberID(_parse(value, what="a user_id", path=path))


def parse_room_key(value: str, *, path: str = "$.key") -> RoomKey:
    """Return ``value`` as a room key, or raise InvalidInput naming ``path``."""
    return RoomKey(_parse(value, what="a room key", path=path))


def parse_alliance_id(value: str, *, path: str = "alliance_id") -> AllianceID:
    """Return ``value`` as an alliance's id, or raise InvalidInput naming ``path``."""
    return AllianceID(_parse(value, what="an alliance_id", path=path))


def alliance_key(alliance_id: AllianceID) -> RoomKey:
    """Return the key of an alliance's room among the owner's rooms."""
    return RoomKey(f"{_ALLIANCE_PREFIX}{alliance_id}")


def alliance_of_key(key: RoomKey) -> AllianceID | None:
    """Return the alliance whose room has this key, if there is such an alliance; None for other rooms."""
    return AllianceID(key.removeprefix(_ALLIANCE_PREFIX)) if key.startswith(_ALLIANCE_PREFIX) else None


def group_key(name: str) -> RoomKey:
    """Return the key of a group's sub-space: another one for every name, and none that a room can have."""
    return RoomKey(_GROUP_PREFIX + name)


def group_of_key(key: RoomKey) -> str | None:
    """Return the name of the group whose sub-space has this key; None for other rooms."""
    return key.removeprefix(_GROUP_PREFIX) if key.startswith(_GROUP_PREFIX) else None


def is_space_key(key: RoomKey) -> bool:
    """Say whether this is the key of a space: the tenant's, or a group's in it."""
    return key == SPACE or group_of_key(key) is not None
