"""Why Synapse refused: the sentence names the room, whose power is meant, what there is and what it takes."""

import pytest

from bridge.model.effect import Effect, JoinUser, RegisterUser, RemoveUser, SetState
from bridge.model.ids import RoomID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import ObservedMembership, ObservedRoom
from bridge.policy.refusal import explain_refusal
from tests.unit.people import BOTS, GENERAL, user

ROOM = RoomID("!general")
BEN = user("ben")
TOPIC = SetState(room_key=GENERAL, room_id=ROOM, event_type="m.room.topic", state_key="", content={"topic": ""})
PIN = SetState(room_key=GENERAL, room_id=ROOM, event_type="m.room.pinned_events", state_key="", content={})
DEMOTE = SetState(
    room_key=GENERAL,
    room_id=ROOM,
    event_type="m.room.power_levels",
    state_key="",
    content={"users": {BOTS.creator: 150}},
    revokes=True,
)
REMOVE = RemoveUser(room_key=GENERAL, room_id=ROOM, user_id=BEN)
JOIN = JoinUser(room_key=GENERAL, room_id=ROOM, user_id=BEN, invite=True)
RETURN = JoinUser(room_key=GENERAL, room_id=ROOM, user_id=BOTS.creator, invite=True, is_creator=True)


def room(levels: JsonObject, *inside: UserID, version: str = "11", banned: tuple[UserID, ...] = ()) -> ObservedRoom:
    members = {who: ObservedMembership(membership="join", sender=who) for who in inside}
    members |= {who: ObservedMembership(membership="ban", sender=user("anna")) for who in banned}
    return ObservedRoom(
        room_id=ROOM,
        key=GENERAL,
        state={("m.room.create", ""): {"room_version": version}, ("m.room.power_levels", ""): levels},
        members=members,
    )


WEAK: JsonObject = {"users": {BOTS.creator: 50}, "state_default": 150, "invite": 150, "kick": 75}


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (TOPIC, "@bitnexus:s has power 50 in the room 'general', and it takes 150 to send m.room.topic"),
        (JOIN, "@bitnexus:s has power 50 in the room 'general', and it takes 150 to invite @u_ben:s"),
        (REMOVE, "@bitnexus:s has power 50 in the room 'general', and it takes 75 to take @u_ben:s out"),
    ],
)
def test_the_power_that_we_lack_is_named(effect: Effect, expected: str) -> None:
    assert explain_refusal(effect, room(WEAK, BOTS.creator), BOTS) == expected


def test_a_types_own_level_counts_before_the_default() -> None:
    levels = {**WEAK, "events": {"m.room.pinned_events": 60}}
    reason = explain_refusal(PIN, room(levels, BOTS.creator), BOTS)
    assert reason == "@bitnexus:s has power 50 in the room 'general', and it takes 60 to send m.room.pinned_events"


@pytest.mark.parametrize("effect", [TOPIC, JOIN, REMOVE, DEMOTE])
def test_a_room_without_our_creator_says_so(effect: Effect) -> None:
    assert explain_refusal(effect, room(WEAK), BOTS) == "@bitnexus:s is not in the room 'general'"


def test_our_creator_needs_the_keeper_to_come_back() -> None:
    assert explain_refusal(RETURN, room(WEAK), BOTS) == "@bitnexus_keeper:s is not in the room 'general'"


@pytest.mark.parametrize("effect", [DEMOTE, REMOVE])
def test_an_equal_is_named(effect: Effect) -> None:
    levels = {"users": {BOTS.creator: 150, BEN: 150}}
    reason = explain_refusal(effect, room(levels, BOTS.creator, BEN), BOTS)
    assert reason is not None
    assert reason.startswith("@u_ben:s has power 150 in the room 'general', no less than @bitnexus:s")


def test_a_banned_person_is_named() -> None:
    reason = explain_refusal(JOIN, room({"users": {BOTS.creator: 150}}, BOTS.creator, banned=(BEN,)), BOTS)
    assert reason == "@u_ben:s is banned from the room 'general'"


@pytest.mark.parametrize("effect", [TOPIC, DEMOTE, REMOVE, JOIN])
def test_creators_of_version_12_lack_no_power(effect: Effect) -> None:
    assert explain_refusal(effect, room({"users": {BEN: 100}}, BOTS.creator, BEN, version="12"), BOTS) is None


def test_what_is_about_no_known_room_is_left_to_synapses_own_words() -> None:
    assert explain_refusal(TOPIC, None, BOTS) is None
    assert explain_refusal(RegisterUser(user_id=BEN), room(WEAK), BOTS) is None


@pytest.mark.parametrize("levels", [{}, {"users": ["ben"]}, {"users": {BOTS.creator: "150"}, "state_default": "50"}])
def test_levels_that_nobody_can_read_are_no_failure(levels: JsonObject) -> None:
    for effect in (TOPIC, DEMOTE, REMOVE, JOIN):
        explain_refusal(effect, room(levels, BOTS.creator, BEN), BOTS)
