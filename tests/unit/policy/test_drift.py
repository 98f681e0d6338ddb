"""Drift: whatever makes reconcile do something is noticed, whoever did it, and the echo of our own writes is not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, RoomID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import Observed, ObservedMembership
from bridge.policy.drift import is_drift
from bridge.policy.layout import lay_out
from bridge.policy.reconcile import reconcile
from tests.unit.people import BOTS, GENERAL, HOUSE, member, room_ids_of, stand, tenant_of, user

TENANT = tenant_of(member("anna", "owner"), member("ben"))
IDS = room_ids_of(TENANT)
DESIRED = lay_out(TENANT, HOUSE, IDS)
ROOM = DESIRED.rooms[GENERAL]
ANNA = user("anna")


def state_event(
    event_type: str, content: JsonObject, *, state_key: str | None = "", sender: UserID = ANNA
) -> MatrixEvent:
    return MatrixEvent(
        event_id=EventID("$1"),
        room_id=RoomID("!general"),
        event_type=event_type,
        sender=sender,
        content=content,
        origin_server_ts=1,
        state_key=state_key,
    )


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (state_event("m.room.member", {"membership": "join"}, state_key=user("eve")), True),
        (state_event("m.room.member", {"membership": "invite"}, state_key=user("eve")), True),
        (state_event("m.room.member", {"membership": "knock"}, state_key=user("eve")), True),
        (state_event("m.room.member", {"membership": "leave"}, state_key=user("eve")), False),
        (state_event("m.room.member", {"membership": "join"}, state_key=user("ben")), False),
        (state_event("m.room.member", {"membership": "leave"}, state_key=user("ben")), True),
        (state_event("m.room.member", {"membership": "leave"}, state_key=BOTS.relay), True),
        (state_event("m.room.member", {"membership": "join"}, state_key=user("eve"), sender=BOTS.creator), True),
        (state_event("m.room.member", {"membership": "invite"}, state_key=user("eve"), sender=BOTS.creator), True),
        (state_event("m.room.member", {"membership": "invite"}, state_key=user("ben"), sender=BOTS.creator), False),
        (state_event("m.room.member", {"membership": "invite"}, state_key=user("ben"), sender=ANNA), True),
        (state_event("m.room.member", {"membership": "leave"}, state_key=user("eve"), sender=BOTS.creator), False),
        (state_event("m.room.member", {"membership": "leave"}, state_key=user("ben"), sender=BOTS.creator), True),
        (state_event("m.room.member", {"membership": "join"}, state_key=BOTS.assistant, sender=BOTS.assistant), False),
        (state_event("m.room.member", {"membership": "leave"}, state_key=BOTS.creator, sender=BOTS.creator), True),
        (state_event("m.room.name", {"name": "General"}), False),
        (state_event("m.room.name", {"name": "Eve's room"}), True),
        (state_event("m.room.name", {"name": "General"}, sender=BOTS.creator), False),
        (state_event("m.room.name", {"name": "Eve's room"}, sender=BOTS.creator), True),
        (state_event("m.room.name", {"name": "Eve's room"}, state_key=None), False),
        (state_event("m.room.pinned_events", {"pinned": ["$1"]}), False),
        (state_event("m.room.tombstone", {"replacement_room": "!elsewhere"}), True),
        (state_event("m.room.tombstone", {}), False),
        (state_event("m.room.canonical_alias", {"alias": "#eve:s"}), True),
        (state_event("m.space.child", {"via": ["s"]}, state_key="!foreign"), True),
        (state_event("m.space.child", {}, state_key="!foreign"), False),
        (state_event("m.space.parent", {"via": ["s"]}, state_key="!foreign"), True),
    ],
)
def test_drift(event: MatrixEvent, *, expected: bool) -> None:
    assert is_drift(event, ROOM, BOTS) is expected


@pytest.mark.parametrize("membership", [None, 5, ["join"], {"join": 1}])
def test_a_malformed_membership_is_an_absence_and_no_failure(membership: object) -> None:
    event = state_event("m.room.member", {"membership": membership}, state_key=user("ben"))
    assert is_drift(event, ROOM, BOTS) is True


people = st.sampled_from([user("anna"), user("ben"), user("eve")])
state_events = st.one_of(
    st.builds(
        lambda who, sender, membership: state_event(
            "m.room.member", {"membership": membership}, state_key=who, sender=sender
        ),
        people,
        people,
        st.sampled_from(["join", "invite", "leave", "ban", "knock"]),
    ),
    st.builds(
        state_event,
        st.sampled_from(["m.room.name", "m.room.topic", "m.room.power_levels", "m.room.pinned_events"]),
        st.sampled_from([{}, {"name": "General"}, {"topic": ""}, {"users": {}}]),
    ),
    st.builds(
        lambda kind, key, content: state_event(kind, content, state_key=key),
        st.sampled_from(["m.space.child", "m.space.parent"]),
        st.sampled_from(["!@space", "!foreign"]),
        st.sampled_from([{}, {"via": ["s"]}]),
    ),
)


def _after(event: MatrixEvent) -> Observed:
    """Return Matrix as desired, but for one event."""
    observed = stand(DESIRED, IDS)
    room = observed.rooms[GENERAL]
    if event.event_type == "m.room.member":
        seen = ObservedMembership(membership=event.content["membership"], sender=event.sender)
        room = replace(room, members={**room.members, UserID(event.state_key): seen})
    else:
        room = replace(room, state={**room.state, (event.event_type, event.state_key): event.content})
    return replace(observed, rooms={**observed.rooms, GENERAL: room})


@settings(max_examples=50, deadline=None)
@given(state_events)
def test_what_makes_reconcile_act_is_drift(event: MatrixEvent) -> None:
    if reconcile(DESIRED, _after(event), BOTS):
        assert is_drift(event, ROOM, BOTS)
