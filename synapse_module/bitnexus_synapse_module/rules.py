"""The rules: who may create, join, invite and send what, decided from plain data alone.

Nothing here reads a clock, a database or Synapse. A room without our marker belongs to no tenant: people can only
leave it. Whoever asks, Synapse's server admins included, gets the same answers.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from bitnexus_synapse_module.decision import Decision, Grant, Refusal
from bitnexus_synapse_module.snapshot import ALLIANCE, DIRECT_MESSAGE, MEMBER_TYPE, SPACE, Event, Ours, Room

RESERVED_PREFIX: Final = "com.bitnexus."

SENDERS_TENANT: Final = "com.bitnexus.tenant_id"
"""In the content of a message in an alliance's room: which of the two tenants its sender belongs to."""

SIGNED_TYPES: Final = frozenset({"m.room.message", "m.sticker"})
"""What carries its sender's tenant."""

PEOPLE_MAY_SET: Final = frozenset({"m.room.pinned_events"})
"""Room state that power levels alone decide about; memberships have rules of their own."""

PEOPLE_MAY_REDACT: Final = frozenset({MEMBER_TYPE, "m.room.pinned_events"})
"""Present state that a moderator may redact (a name or picture in a membership, a pin); the rest holds the room."""

STATE_TYPES: Final = frozenset(
    {
        "m.room.aliases",
        "m.room.avatar",
        "m.room.canonical_alias",
        "m.room.create",
        "m.room.guest_access",
        "m.room.history_visibility",
        "m.room.join_rules",
        MEMBER_TYPE,
        "m.room.name",
        "m.room.power_levels",
        "m.room.server_acl",
        "m.room.tombstone",
        "m.room.topic",
        "m.space.child",
        "m.space.parent",
    }
)
"""Types that mean something as state only; a message that borrows one could deceive whoever reads types alone."""

_NAMED_REFUSALS: Final[Mapping[str, Refusal]] = {
    "m.room.power_levels": Refusal.POWER_LEVELS,
    "m.room.tombstone": Refusal.ROOM_UPGRADE,
    "m.room.canonical_alias": Refusal.ALIAS,
    "m.room.aliases": Refusal.ALIAS,
}

_FORBIDDEN_TO_ALL: Final[Mapping[str, Refusal]] = {
    "m.room.encryption": Refusal.ENCRYPTION,
    "m.room.encrypted": Refusal.ENCRYPTION,
    "m.room.third_party_invite": Refusal.THIRD_PARTY_INVITE,
}

OWNER_LEVEL: Final = 100
"""The highest power of a person; what stands above it is ours."""

_CLOSED_JOIN_RULES: Final = frozenset({"invite", "private", "restricted"})


def decide_event(event: Event, room: Room, ours: Ours) -> Decision:
    """Decide about any event before it exists; ``room.member`` is the present one of the event's ``state_key``."""
    if refusal := _forbidden_to_all(event, ours):
        return Decision(refusal)
    if event.type == MEMBER_TYPE and event.state_key is not None:
        return _decide_membership(event, event.state_key, room, ours)
    if event.sender in ours.creators:
        return Decision(Grant.BY_US)
    if refusal := _forbidden_to_others(event, room):
        return Decision(refusal)
    if event.sender in ours:
        return Decision(Grant.BY_US)
    return _decide_ordinary(event.sender, room)


def decide_join(user_id: str, room: Room, ours: Ours) -> Decision:
    """Decide whether a person may be in a room, whatever its join rules say.

    A room that is foreign, unmarked or absent gets one and the same answer, so that nobody learns which it was.
    """
    if user_id in ours:
        return Decision(Grant.BY_US)
    if room.member is not None and room.member.membership == "join":
        return Decision(Grant.STILL_JOINED)
    if room.marker is None:
        return Decision(Refusal.JOIN)
    if room.marker.type == SPACE:
        return Decision(Grant.INVITED_BY_US if _is_invited_by_us(room, ours) else Refusal.JOIN)
    if not room.admits(user_id):
        return Decision(Refusal.JOIN)
    return Decision(Refusal.EXCLUDED if _is_excluded(user_id, room, ours) else Grant.MEMBER_OF_TENANT)


def decide_invite(inviter: str, invitee: str, room: Room, ours: Ours) -> Decision:
    """Decide whether ``inviter`` may invite ``invitee``; ``room.in_space`` speaks of the invitee."""
    if inviter not in ours.creators:
        # In a direct message both creators have left; the way back is an invitation that we send as one of the two.
        is_way_back = room.marker is not None and room.marker.type == DIRECT_MESSAGE and invitee in ours.creators
        return Decision(Grant.CREATOR_RETURNS if is_way_back else Refusal.INVITE)
    if invitee in ours:
        return Decision(Grant.BY_US)
    if room.marker is None:
        return Decision(Refusal.NOT_A_TENANT_ROOM)
    if room.marker.type == SPACE:
        return Decision(Grant.INVITED_BY_US)
    return Decision(Grant.MEMBER_OF_TENANT if room.admits(invitee) else Refusal.INVITEE_OUTSIDE_TENANT)


def decide_creation(user_id: str, room_config: Mapping[str, object], ours: Ours) -> Decision:
    """Decide about a createRoom request, or about the one that an upgrade amounts to."""
    if user_id not in ours.creators:
        return Decision(Refusal.DIRECT_CHAT if _is_direct_chat(room_config) else Refusal.ROOM_CREATION)
    creation_content = _mapping(room_config.get("creation_content"))
    if "predecessor" in creation_content:
        return Decision(Refusal.ROOM_UPGRADE)
    if not set(_future_creators(room_config, creation_content)) <= ours.creators:
        return Decision(Refusal.FOREIGN_CREATOR)
    if refusal := _forbidden_setting(room_config):
        return Decision(refusal)
    return Decision(Grant.BY_US)


def invitees_of(room_config: Mapping[str, object]) -> list[str]:
    """Return whom a createRoom request invites."""
    return list(_texts(room_config.get("invite")))


def decide_use(user_id: str, ours: Ours, *, is_expired: bool) -> Decision:
    """Decide whether an account may be used now, by sessions that it has."""
    if user_id in ours:
        return Decision(Grant.BY_US)
    return Decision(Refusal.EXPIRED if is_expired else Grant.ACCOUNT_IN_USE)


def decide_alias() -> Decision:
    """Decide about a room alias: there are none."""
    return Decision(Refusal.ALIAS)


def decide_publishing() -> Decision:
    """Decide about an entry in the public room directory: there are none."""
    return Decision(Refusal.PUBLISHING)


def decide_third_party_invite() -> Decision:
    """Decide about an invitation by e-mail address or phone number: there are none."""
    return Decision(Refusal.THIRD_PARTY_INVITE)


def subject_of(event: Event, ours: Ours) -> str | None:
    """Return whose membership of the tenant's space a decision about this event looks at; None: nobody's."""
    if event.type != MEMBER_TYPE or event.state_key is None:
        subject = event.sender
    elif event.membership in {"join", "invite"}:
        subject = event.state_key
    else:
        return None
    return None if subject in ours else subject


def sign(event: Event, room: Room, ours: Ours) -> dict[str, object] | None:
    """Return the content that a message in an alliance's room is to have, None when it is right as it is.

    The sender's tenant is what the room's own state says, never what the sender wrote; it also stands in what an edit
    puts in an older message's place.
    """
    if room.marker is None or room.marker.type != ALLIANCE or event.sender in ours:
        return None
    if event.type not in SIGNED_TYPES or event.state_key is not None:
        return None
    tenant_id = room.marker.tenant_id if room.in_space else room.marker.partner_tenant_id
    signed = _signed(event.content, tenant_id)
    if isinstance(edited := event.content.get("m.new_content"), Mapping):
        signed["m.new_content"] = _signed(edited, tenant_id)
    return None if signed == event.content else signed


def _signed(content: Mapping[str, object], tenant_id: str | None) -> dict[str, object]:
    kept = {name: value for name, value in content.items() if name != SENDERS_TENANT}
    return kept if tenant_id is None else {**kept, SENDERS_TENANT: tenant_id}


def is_protected(event_type: str) -> bool:
    """Say whether only a creator may redact present state of this type."""
    return event_type not in PEOPLE_MAY_REDACT


def _decide_ordinary(sender: str, room: Room) -> Decision:
    """Let people write where they belong: whoever is put out of a tenant is silent before its rooms are emptied."""
    if room.marker is None:
        return Decision(Refusal.NOT_A_TENANT_ROOM)
    belongs = room.marker.type == SPACE or room.admits(sender)
    return Decision(Grant.ORDINARY_EVENT if belongs else Refusal.NO_LONGER_ADMITTED)


def _decide_membership(event: Event, user_id: str, room: Room, ours: Ours) -> Decision:
    if refusal := _forbidden_membership(event, user_id):
        return Decision(refusal)
    match event.membership:
        case "join":
            return decide_join(user_id, room, ours)
        case "invite":
            return decide_invite(event.sender, user_id, room, ours)
        case _:
            return _decide_departure(event, user_id, room, ours)


def _forbidden_membership(event: Event, user_id: str) -> Refusal | None:
    match event.membership:
        case "join" if event.sender != user_id:
            return Refusal.JOIN_FOR_ANOTHER
        case "invite" if "third_party_invite" in event.content:
            return Refusal.THIRD_PARTY_INVITE
        case "knock":
            return Refusal.KNOCK
        case "join" | "invite" | "leave" | "ban":
            return None
        case _:
            return Refusal.UNKNOWN_MEMBERSHIP


def _decide_departure(event: Event, user_id: str, room: Room, ours: Ours) -> Decision:
    """Let people go, and let power levels decide about kicks and bans in a tenant's rooms."""
    if event.sender in ours:
        return Decision(Grant.BY_US)
    is_own_leave = event.membership == "leave" and event.sender == user_id
    if room.marker is None and not is_own_leave:
        return Decision(Refusal.NOT_A_TENANT_ROOM)
    return Decision(Grant.DEPARTURE)


def _forbidden_to_all(event: Event, ours: Ours) -> Refusal | None:
    if refusal := _FORBIDDEN_TO_ALL.get(event.type):
        return refusal
    match event.type:
        case "m.room.create":
            return _creation_refusal(event, ours)
        case "m.room.join_rules" if not _is_closed(event.content):
            return Refusal.OPEN_ROOM
        case "m.room.power_levels" if _raises_a_person(event.content, ours):
            return Refusal.POWER_LEVELS
        case "m.room.history_visibility" if event.content.get("history_visibility") == "world_readable":
            return Refusal.OPEN_ROOM
        case _:
            return None


def _creation_refusal(event: Event, ours: Ours) -> Refusal | None:
    if "predecessor" in event.content:
        return Refusal.ROOM_UPGRADE
    if event.sender not in ours.creators:
        return Refusal.ROOM_CREATION
    is_by_us_alone = set(_texts(event.content.get("additional_creators"))) <= ours.creators
    return None if is_by_us_alone else Refusal.FOREIGN_CREATOR


def _raises_a_person(power_levels: Mapping[str, object], ours: Ours) -> bool:
    """Say whether somebody would stand above an owner.

    This also stops Synapse's admin API, which can make anybody a room's admin in the name of our creator.
    """
    users = _mapping(power_levels.get("users"))
    return any(user_id not in ours and not _is_at_most(level, OWNER_LEVEL) for user_id, level in users.items())


def _is_at_most(level: object, limit: int) -> bool:
    return isinstance(level, int) and level <= limit


def _is_closed(join_rules: Mapping[str, object]) -> bool:
    """Say whether a join rule admits invited people, or those of one space at most: two would join two tenants."""
    join_rule, allowed = join_rules.get("join_rule"), _items(join_rules.get("allow"))
    return isinstance(join_rule, str) and join_rule in _CLOSED_JOIN_RULES and len(allowed) <= 1


def _forbidden_to_others(event: Event, room: Room) -> Refusal | None:
    if event.redacts & room.protected_event_ids:
        return Refusal.PROTECTED_STATE
    if event.type.startswith(RESERVED_PREFIX):
        return Refusal.RESERVED_TYPE
    may_be_sent = (event.type in PEOPLE_MAY_SET) if event.state_key is not None else (event.type not in STATE_TYPES)
    return None if may_be_sent else _NAMED_REFUSALS.get(event.type, Refusal.ROOM_SETTING)


def _is_invited_by_us(room: Room, ours: Ours) -> bool:
    member = room.member
    return member is not None and member.membership == "invite" and member.sender in ours.creators


def _is_excluded(user_id: str, room: Room, ours: Ours) -> bool:
    """Say whether somebody else than we took the person out, or undid a ban; an invitation of ours lets them in again.

    A ban itself needs no rule: nobody joins out of one.
    """
    member = room.member
    return (
        member is not None and member.membership == "leave" and member.sender != user_id and member.sender not in ours
    )


def _is_direct_chat(room_config: Mapping[str, object]) -> bool:
    return room_config.get("is_direct") is True or room_config.get("preset") == "trusted_private_chat"


def _future_creators(room_config: Mapping[str, object], creation_content: Mapping[str, object]) -> Iterable[str]:
    yield from _texts(creation_content.get("additional_creators"))
    if room_config.get("preset") == "trusted_private_chat":
        yield from _texts(room_config.get("invite"))


def _forbidden_setting(room_config: Mapping[str, object]) -> Refusal | None:
    if room_config.get("visibility", "private") != "private" or room_config.get("preset") == "public_chat":
        return Refusal.OPEN_ROOM
    if "room_alias_name" in room_config:
        return Refusal.ALIAS
    if room_config.get("invite_3pid"):
        return Refusal.THIRD_PARTY_INVITE
    state_types = [_mapping(state).get("type") for state in _items(room_config.get("initial_state"))]
    return Refusal.ENCRYPTION if "m.room.encryption" in state_types else None


def _texts(value: object) -> Iterable[str]:
    """Give the ids in a list; what is no text becomes an id that is nobody's."""
    return [item if isinstance(item, str) else "" for item in _items(value)]


def _items(value: object) -> list[object]:
    """Give a list's items; anything else that is there at all counts as one item."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
