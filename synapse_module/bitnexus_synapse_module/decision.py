"""What the module answers: allowed or refused, always with a reason code, and for a person with a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Grant(StrEnum):
    """Why something was allowed; the closed set of codes that metrics count."""

    BY_US = "by_us"
    ORDINARY_EVENT = "ordinary_event"
    DEPARTURE = "departure"
    STILL_JOINED = "still_joined"
    MEMBER_OF_TENANT = "member_of_tenant"
    INVITED_BY_US = "invited_by_us"
    CREATOR_RETURNS = "creator_returns"
    BRIDGE_ALLOWS = "bridge_allows"
    ACCOUNT_IN_USE = "account_in_use"


class Refusal(StrEnum):
    """Why something was refused; the closed set of codes that metrics count and clients receive."""

    ENCRYPTION = "encryption"
    THIRD_PARTY_INVITE = "third_party_invite"
    KNOCK = "knock"
    ROOM_CREATION = "room_creation"
    DIRECT_CHAT = "direct_chat"
    ROOM_UPGRADE = "room_upgrade"
    FOREIGN_CREATOR = "foreign_creator"
    OPEN_ROOM = "open_room"
    POWER_LEVELS = "power_levels"
    ROOM_SETTING = "room_setting"
    RESERVED_TYPE = "reserved_type"
    PROTECTED_STATE = "protected_state"
    NOT_A_TENANT_ROOM = "not_a_tenant_room"
    NO_LONGER_ADMITTED = "no_longer_admitted"
    INVITE = "invite"
    INVITEE_OUTSIDE_TENANT = "invitee_outside_tenant"
    JOIN = "join"
    EXCLUDED = "excluded"
    JOIN_FOR_ANOTHER = "join_for_another"
    UNKNOWN_MEMBERSHIP = "unknown_membership"
    ALIAS = "alias"
    PUBLISHING = "publishing"
    BRIDGE_DENIES = "bridge_denies"
    BRIDGE_TIMEOUT = "bridge_timeout"
    BRIDGE_UNREACHABLE = "bridge_unreachable"
    BRIDGE_STATUS = "bridge_status"
    BRIDGE_UNREADABLE = "bridge_unreadable"
    EXPIRED = "expired"
    MODULE_FAILED = "module_failed"


_TRY_SIGN_IN_LATER = "Signing in cannot be checked just now. Please try again in a minute."

SENTENCES: Mapping[Refusal, str] = MappingProxyType(
    {
        Refusal.ENCRYPTION: (
            "Encryption cannot be used in BitNexus rooms: your organisation's search, moderation and retention "
            "need messages that can be read."
        ),
        Refusal.THIRD_PARTY_INVITE: (
            "People cannot be invited by e-mail address or phone number. Ask an admin of your organisation to add "
            "them in BitNexus."
        ),
        Refusal.KNOCK: (
            "You cannot ask to join rooms from this app. Ask an admin of your organisation to add you in BitNexus."
        ),
        Refusal.ROOM_CREATION: "Rooms are made in BitNexus. Ask an admin of your organisation for a new room.",
        Refusal.DIRECT_CHAT: "Direct chats cannot be started from this app.",
        Refusal.ROOM_UPGRADE: "Rooms cannot be upgraded or replaced from this app. BitNexus looks after that.",
        Refusal.FOREIGN_CREATOR: "Only BitNexus itself can be the creator of a room.",
        Refusal.OPEN_ROOM: "Rooms on BitNexus are never open to everybody.",
        Refusal.POWER_LEVELS: "Roles are changed in BitNexus, not in the room. Ask an admin of your organisation.",
        Refusal.ROOM_SETTING: (
            "This setting of the room is changed in BitNexus, not from this app. Ask an admin of your organisation."
        ),
        Refusal.RESERVED_TYPE: "Events of this type are sent by BitNexus only.",
        Refusal.PROTECTED_STATE: "This event holds a setting of the room, so it cannot be removed.",
        Refusal.NOT_A_TENANT_ROOM: (
            "This room does not belong to an organisation on BitNexus, so all that you can do here is leave it."
        ),
        Refusal.NO_LONGER_ADMITTED: (
            "You do not belong to this room any more. If you expected to, ask an admin of your organisation."
        ),
        Refusal.INVITE: (
            "Invitations are sent by BitNexus. Ask an admin of your organisation to add people to this room."
        ),
        Refusal.INVITEE_OUTSIDE_TENANT: "This person is not a member of the organisation that the room belongs to.",
        Refusal.JOIN: "You cannot join this room. If you expected to, ask an admin of your organisation.",
        Refusal.EXCLUDED: (
            "You were removed from this room. Ask a moderator of the room or an admin of your organisation to let you "
            "in again."
        ),
        Refusal.JOIN_FOR_ANOTHER: "Nobody can join a room in another person's name.",
        Refusal.UNKNOWN_MEMBERSHIP: "This change of membership is not possible here.",
        Refusal.ALIAS: "Rooms on BitNexus have no addresses. Ask an admin of your organisation for access.",
        Refusal.PUBLISHING: "Rooms on BitNexus are not listed in the public room directory.",
        Refusal.BRIDGE_DENIES: "You cannot sign in to BitNexus Chat. Ask an admin of your organisation.",
        Refusal.BRIDGE_TIMEOUT: _TRY_SIGN_IN_LATER,
        Refusal.BRIDGE_UNREACHABLE: _TRY_SIGN_IN_LATER,
        Refusal.BRIDGE_STATUS: _TRY_SIGN_IN_LATER,
        Refusal.BRIDGE_UNREADABLE: _TRY_SIGN_IN_LATER,
        Refusal.EXPIRED: "Your account cannot be used at present. Ask an admin of your organisation.",
        Refusal.MODULE_FAILED: (
            "This could not be checked just now, so it was not done. Please try again, and tell an admin of your "
            "organisation if it happens again."
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer; it allows exactly when its reason is a Grant."""

    reason: Grant | Refusal
    said: str | None = None
    """The bridge's own words for a refusal, where it was the bridge that refused."""
    content: Mapping[str, object] | None = None
    """The content that an allowed event is to have instead of its own; None: it is right as it is."""

    @property
    def allowed(self) -> bool:
        """Say whether the thing asked about may happen."""
        return isinstance(self.reason, Grant)

    @property
    def sentence(self) -> str:
        """Give the words that a person's client shows; empty when allowed."""
        if isinstance(self.reason, Grant):
            return ""
        return self.said or SENTENCES[self.reason]
