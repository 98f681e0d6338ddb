"""Whether writing a state event takes something away: such writes come first, before anything is granted."""

from collections.abc import Iterable, Mapping

from bridge.model.ids import UserID
from bridge.model.json import Json, JsonObject
from bridge.policy.layout import ROOM_MARKER
from bridge.policy.power_levels import level_of

# what holds where a room does not say (specification: m.room.power_levels)
_DEFAULTS = {
    "events_default": 0,
    "state_default": 50,
    "invite": 0,
    "kick": 50,
    "ban": 50,
    "redact": 50,
}
_NO_LEVELS: JsonObject = {"state_default": 0}
_VISIBILITY = ("joined", "invited", "shared", "world_readable")
_NOBODY = UserID("")


def tightens(event_type: str, wanted: JsonObject, actual: JsonObject | None) -> bool:
    """Say whether ``wanted`` in place of ``actual`` takes power, a way in or sight from anybody."""
    match event_type:
        case "m.room.power_levels":
            return _takes_power(wanted, _NO_LEVELS if actual is None else actual)
        case "m.room.join_rules":
            return bool(_admits(actual or {}) - _admits(wanted))
        case "m.room.history_visibility":
            return _sight(actual or {}) > _sight(wanted)
        case "m.room.guest_access":
            return (actual or {}).get("guest_access") == "can_join" != wanted.get("guest_access")
        case _ if event_type == ROOM_MARKER:
            # by it our module in Synapse decides whose members may come in
            return bool(actual) and actual != wanted
        case _:
            return False


def _takes_power(wanted: JsonObject, actual: JsonObject) -> bool:
    people = {UserID(user_id) for content in (wanted, actual) for user_id in _mapping(content.get("users"))}
    if any(level_of(who, wanted) < level_of(who, actual) for who in (*people, _NOBODY)):
        return True
    if any(_level(wanted.get(act), usual) > _level(actual.get(act), usual) for act, usual in _DEFAULTS.items()):
        return True
    events = _mapping(wanted.get("events")).keys() | _mapping(actual.get("events")).keys()
    return any(_needed(event_type, wanted) > _needed(event_type, actual) for event_type in events)


def _needed(event_type: str, levels: JsonObject) -> int:
    """Return what it takes to send state of a type; types of messages are listed by nobody."""
    usual = _level(levels.get("state_default"), _DEFAULTS["state_default"])
    return _level(_mapping(levels.get("events")).get(event_type), usual)


def _admits(rules: JsonObject) -> set[str]:
    """Return the rooms whose members come in by themselves; ``*`` is everybody."""
    match rules.get("join_rule", "invite"):
        case "invite" | "private":
            return set()
        case "restricted":
            allowed = rules.get("allow")
            entries: Iterable[Json] = allowed if isinstance(allowed, list | tuple) else ()
            return {str(entry.get("room_id")) for entry in entries if isinstance(entry, Mapping)}
        case _:
            return {"*"}


def _sight(content: JsonObject) -> int:
    visibility = content.get("history_visibility")
    return _VISIBILITY.index(visibility) if visibility in _VISIBILITY else _VISIBILITY.index("shared")


def _level(value: Json, usual: int) -> int:
    return value if isinstance(value, int) else usual


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
