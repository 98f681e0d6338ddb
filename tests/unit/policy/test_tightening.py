"""What takes something away: power, a way in, sight; and what only gives does not."""

import pytest

from bridge.model.json import JsonObject
from bridge.policy.tightening import tightens
from tests.unit.people import user

LEVELS: JsonObject = {
    "users": {user("anna"): 100},
    "users_default": 0,
    "events": {"m.room.pinned_events": 50},
    "events_default": 0,
    "state_default": 150,
    "invite": 150,
    "kick": 50,
    "ban": 75,
    "redact": 50,
}
RESTRICTED: JsonObject = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!space"}]}
TWO_SPACES: JsonObject = {"join_rule": "restricted", "allow": [{"room_id": "!space"}, {"room_id": "!other"}]}
INVITE: JsonObject = {"join_rule": "invite"}


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (LEVELS, False),
        (None, True),
        ({**LEVELS, "users": {}}, False),
        ({**LEVELS, "users": {user("anna"): 75}}, False),
        ({**LEVELS, "users": {user("anna"): 100, user("ben"): 50}}, True),
        ({**LEVELS, "users": {user("anna"): 100, user("ben"): -10}}, False),
        ({**LEVELS, "users_default": 50}, True),
        ({**LEVELS, "state_default": 50}, True),
        ({**LEVELS, "state_default": 200}, False),
        ({**LEVELS, "invite": 0}, True),
        ({key: value for key, value in LEVELS.items() if key != "invite"}, True),
        ({**LEVELS, "events_default": 50}, False),
        ({**LEVELS, "events_default": -1}, True),
        ({**LEVELS, "events": {}}, False),
        ({**LEVELS, "events": {"m.room.pinned_events": 0}}, True),
        ({**LEVELS, "events": {"m.room.pinned_events": 50, "m.room.name": 50}}, True),
        ({**LEVELS, "events": {"m.room.pinned_events": 50, "m.room.name": 200}}, False),
    ],
)
def test_power_levels(actual: JsonObject | None, *, expected: bool) -> None:
    assert tightens("m.room.power_levels", LEVELS, actual) is expected


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        (INVITE, RESTRICTED, True),
        (INVITE, {"join_rule": "public"}, True),
        (INVITE, {"join_rule": "knock"}, True),
        (INVITE, {"join_rule": "something new"}, True),
        (INVITE, {"join_rule": "private"}, False),
        (INVITE, None, False),
        (RESTRICTED, {"join_rule": "public"}, True),
        (RESTRICTED, TWO_SPACES, True),
        (RESTRICTED, INVITE, False),
        (RESTRICTED, RESTRICTED, False),
        (RESTRICTED, {"join_rule": "restricted", "allow": "!space"}, False),
        (RESTRICTED, {"join_rule": "restricted", "allow": ["!space", 5]}, False),
    ],
)
def test_join_rules(wanted: JsonObject, actual: JsonObject | None, *, expected: bool) -> None:
    assert tightens("m.room.join_rules", wanted, actual) is expected


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        ("shared", "world_readable", True),
        ("invited", "shared", True),
        ("joined", None, True),
        ("shared", "joined", False),
        ("shared", None, False),
        ("shared", "no such", False),
    ],
)
def test_history_visibility(wanted: str, actual: str | None, *, expected: bool) -> None:
    before = None if actual is None else {"history_visibility": actual}
    assert tightens("m.room.history_visibility", {"history_visibility": wanted}, before) is expected


def test_guest_access() -> None:
    assert tightens("m.room.guest_access", {"guest_access": "forbidden"}, {"guest_access": "can_join"})
    assert not tightens("m.room.guest_access", {"guest_access": "forbidden"}, None)


def test_a_marker_that_says_something_else_admits_others() -> None:
    ours, theirs = {"space_id": "!ours"}, {"space_id": "!theirs"}
    assert tightens("com.bitnexus.room", ours, theirs)
    assert not tightens("com.bitnexus.room", ours, None)
    assert not tightens("com.bitnexus.room", ours, {})


def test_names_take_nothing_away() -> None:
    assert not tightens("m.room.name", {"name": "General"}, {"name": "Eve's"})
