"""Our direct chats and blocks in people's account data, beside what clients write there."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.ids import RoomID, UserID
from bridge.model.json import Json, JsonObject
from bridge.policy.direct_list import merge_direct_list, merge_ignored_list
from tests.unit.people import user

ANNA, BEN, CARL = user("anna"), user("ben"), user("carl")
OURS = [RoomID(f"!ours{number}:s") for number in range(3)]
THEIRS = [f"!theirs{number}:s" for number in range(2)]

_PEOPLE = st.sampled_from([ANNA, BEN, CARL])
_ROOMS = st.lists(st.sampled_from([*OURS, *THEIRS]), max_size=5)
_ODD: st.SearchStrategy[Json] = st.sampled_from([None, 7, "!ours0:s", {"a": 1}, [None, 7, {"a": 1}]])
_CONTENT: st.SearchStrategy[dict[str, Json]] = st.dictionaries(
    st.one_of(_PEOPLE, st.sampled_from(["@x:other", "odd key"])), st.one_of(_ROOMS, _ODD), max_size=5
)
# each room of ours is with one person
_CHATS = st.dictionaries(st.sampled_from(OURS), _PEOPLE).map(
    lambda found: {other: {room for room, whose in found.items() if whose == other} for other in found.values()}
)


@pytest.mark.parametrize(
    ("content", "chats", "expected"),
    [
        ({}, {}, {}),
        ({}, {BEN: [OURS[0]]}, {BEN: [OURS[0]]}),
        ({BEN: [OURS[0]]}, {BEN: [OURS[0]]}, {BEN: [OURS[0]]}),
        ({BEN: [OURS[0], THEIRS[0]]}, {BEN: [OURS[0]]}, {BEN: [OURS[0], THEIRS[0]]}),
        ({BEN: [THEIRS[0]]}, {BEN: [OURS[0]]}, {BEN: [THEIRS[0], OURS[0]]}),
        ({CARL: [OURS[0]]}, {BEN: [OURS[0]]}, {BEN: [OURS[0]]}),
        ({CARL: [OURS[0], THEIRS[0]]}, {BEN: [OURS[0]]}, {CARL: [THEIRS[0]], BEN: [OURS[0]]}),
        ({BEN: [OURS[0]]}, {}, {}),
        ({BEN: []}, {}, {BEN: []}),
        ({BEN: "odd"}, {BEN: [OURS[0]]}, {BEN: [OURS[0]]}),
        ({"@x:other": "odd"}, {BEN: [OURS[0]]}, {"@x:other": "odd", BEN: [OURS[0]]}),
        ({BEN: [OURS[0]]}, {BEN: [OURS[0], OURS[1]]}, {BEN: [OURS[0], OURS[1]]}),
    ],
)
def test_our_chats_stand_with_whom_they_are(
    content: JsonObject, chats: Mapping[UserID, list[RoomID]], expected: JsonObject
) -> None:
    assert merge_direct_list(content, chats, OURS) == expected


@given(_CONTENT, _CHATS)
def test_each_chat_of_ours_stands_with_the_one_person_and_nobody_else(
    content: dict[str, Json], chats: dict[UserID, set[RoomID]]
) -> None:
    merged = merge_direct_list(content, chats, OURS)
    for room in OURS:
        holders = {whose for whose, rooms in merged.items() if isinstance(rooms, list) and room in rooms}
        assert holders == {other for other, rooms in chats.items() if room in rooms}


@given(_CONTENT, _CHATS)
def test_merging_twice_changes_nothing_more(content: dict[str, Json], chats: dict[UserID, set[RoomID]]) -> None:
    merged = merge_direct_list(content, chats, OURS)
    assert merge_direct_list(merged, chats, OURS) == merged


@given(_CONTENT, _CHATS)
def test_what_is_not_ours_stays_as_it_was(content: dict[str, Json], chats: dict[UserID, set[RoomID]]) -> None:
    merged = merge_direct_list(content, chats, OURS)
    for whose, rooms in content.items():
        if isinstance(rooms, list):
            kept = merged.get(whose, [])
            assert isinstance(kept, list)
            assert [room for room in kept if room not in OURS] == [room for room in rooms if room not in OURS]
        elif UserID(whose) not in chats:
            assert merged[whose] == rooms


@pytest.mark.parametrize(
    ("content", "blocked", "released", "expected"),
    [
        ({}, [BEN], [], {"ignored_users": {BEN: {}}}),
        ({"ignored_users": {CARL: {"a": 1}}}, [BEN], [], {"ignored_users": {CARL: {"a": 1}, BEN: {}}}),
        ({"ignored_users": {BEN: {}, CARL: {}}}, [], [BEN], {"ignored_users": {CARL: {}}}),
        ({"ignored_users": {BEN: {"a": 1}}}, [BEN], [BEN], {"ignored_users": {BEN: {"a": 1}}}),
        ({"ignored_users": "odd", "more": 1}, [BEN], [CARL], {"ignored_users": {BEN: {}}, "more": 1}),
    ],
)
def test_who_is_blocked_is_ignored_and_others_stay(
    content: JsonObject, blocked: list[UserID], released: list[UserID], expected: JsonObject
) -> None:
    merged = merge_ignored_list(content, blocked, released)
    assert merged == expected
    assert merge_ignored_list(merged, blocked, released) == merged
