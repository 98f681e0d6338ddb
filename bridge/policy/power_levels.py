"""Roles as power levels (contract: section 3, "Power levels")."""

from collections.abc import Iterable, Mapping

from bridge.model.ids import UserID
from bridge.model.json import JsonObject
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Member, Role, RoomType

LEVELS = {Role.OWNER: 100, Role.ADMIN: 75, Role.MODERATOR: 50, Role.MEMBER: 0, Role.GUEST: 0}
BOT_LEVEL = 149
OURS_ONLY = 150
MAX_LISTED = 500


def power_levels(house: MatrixHouse, room_type: RoomType | None, staff: Iterable[Member]) -> JsonObject:
    """Return the content of ``m.room.power_levels`` for a room, or for a space when ``room_type`` is None.

    Only people with a level of their own are listed, at most 500 of them, the highest first; creators are listed in
    room version 11 and must not be in version 12 (https://spec.matrix.org/v1.16/rooms/v12/).
    """
    listed = sorted((m for m in staff if LEVELS[m.role] > 0), key=lambda m: (-LEVELS[m.role], m.user_id))
    users: dict[str, int] = {m.user_id: LEVELS[m.role] for m in listed[:MAX_LISTED]}
    users |= dict.fromkeys(house.bots.all - house.bots.creators, BOT_LEVEL)
    if house.room_version == "11":
        users |= dict.fromkeys(house.bots.creators, OURS_ONLY)
    return {
        "users": users,
        "users_default": 0,
        "events": {"m.room.pinned_events": 50, "m.room.power_levels": OURS_ONLY, "m.room.tombstone": OURS_ONLY},
        "events_default": _events_default(room_type),
        "state_default": OURS_ONLY,
        "invite": 0 if room_type is RoomType.DM else OURS_ONLY,
        "kick": 50,
        "redact": 50,
        "ban": 75,
        "notifications": {"room": 50},
    }


def role_of_level(level: int, *, is_bot: bool) -> str:
    """Return the role that a power level stands for; what no role has is rounded down."""
    if is_bot:
        return "bot"
    return next((role.value for role, wanted in LEVELS.items() if level >= wanted), Role.MEMBER.value)


def _events_default(room_type: RoomType | None) -> int:
    if room_type is None:
        return OURS_ONLY
    return 50 if room_type is RoomType.ANNOUNCEMENT else 0


def level_of(user_id: UserID, levels: JsonObject) -> int:
    """Return the level that a ``m.room.power_levels`` content gives to a user."""
    users = levels.get("users")
    level = users.get(user_id) if isinstance(users, Mapping) else None
    if level is None:
        level = levels.get("users_default", 0)
    return level if isinstance(level, int) else 0
