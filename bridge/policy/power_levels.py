"""Roles as power levels (contract: section 3, "Power levels")."""

from collections.abc import Iterable, Mapping, Sequence

from bridge.model.ids import UserID
from bridge.model.json import JsonObject
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Member, Role, RoomType
from bridge.policy.templates import TEMPLATES, US

LEVELS = {Role.OWNER: 100, Role.ADMIN: 75, Role.MODERATOR: 50, Role.MEMBER: 0, Role.GUEST: 0}
BOT_LEVEL = 149
OURS_ONLY = US
MAX_LISTED = 500

# an event has at most 65,536 bytes; a long server name makes long ids
_PEOPLE_BYTES = 50_000
_ENTRY_BYTES = len('"":100,')


def power_levels(
    house: MatrixHouse, room_type: RoomType | None, staff: Iterable[Member], *, is_read_only: bool = False
) -> JsonObject:
    """Return the content of ``m.room.power_levels`` for a room, or for a space or a group when ``room_type`` is None.

    Only people with a level of their own are listed, the highest first, at most 500 and as many as fit into an event;
    creators are listed in room version 11 and must not be in version 12 (https://spec.matrix.org/v1.16/rooms/v12/).
    """
    template = None if room_type is None else TEMPLATES[room_type]
    listed = sorted((m for m in staff if LEVELS[m.role] > 0), key=lambda m: (-LEVELS[m.role], m.user_id))
    users: dict[str, int] = {m.user_id: LEVELS[m.role] for m in listed[: _most_that_fit(listed)]}
    users |= dict.fromkeys(house.bots.all - house.bots.creators, BOT_LEVEL)
    if house.room_version == "11":
        users |= dict.fromkeys(house.bots.creators, OURS_ONLY)
    return {
        "users": users,
        "users_default": 0,
        "events": {"m.room.pinned_events": 50, "m.room.power_levels": OURS_ONLY, "m.room.tombstone": OURS_ONLY},
        "events_default": template.writers if template and not is_read_only else OURS_ONLY,
        "state_default": OURS_ONLY,
        "invite": template.inviters if template else OURS_ONLY,
        "kick": 50,
        "redact": 50,
        "ban": 75,
        "notifications": {"room": 50},
    }


def closed_ticket_levels(levels: JsonObject) -> JsonObject:
    """Return the levels of a closed ticket: our bots may still ask how it was, and everybody answers by a reaction."""
    events = levels["events"]
    assert isinstance(events, Mapping)  # noqa: S101 - as power_levels makes it
    return {**levels, "events_default": BOT_LEVEL, "events": {**events, "m.reaction": 0}}


def _most_that_fit(listed: Sequence[Member]) -> int:
    longest = max((len(member.user_id) for member in listed), default=0)
    return min(MAX_LISTED, _PEOPLE_BYTES // (longest + _ENTRY_BYTES))


def role_of_level(level: int, *, is_bot: bool) -> str:
    """Return the role that a power level stands for; what no role has is rounded down."""
    if is_bot:
        return "bot"
    return next((role.value for role, wanted in LEVELS.items() if level >= wanted), Role.MEMBER.value)


def level_of(user_id: UserID, levels: JsonObject) -> int:
    """Return the level that a ``m.room.power_levels`` content gives to a user."""
    users = levels.get("users")
    level = users.get(user_id) if isinstance(users, Mapping) else None
    if level is None:
        level = levels.get("users_default", 0)
    return level if isinstance(level, int) else 0
