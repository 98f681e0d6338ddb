"""What holds for every event, room and account that hypothesis can think of."""

from bitnexus_synapse_module import rules
from bitnexus_synapse_module.decision import Decision, Refusal
from bitnexus_synapse_module.snapshot import Event, Marker, Member, Ours, Room
from hypothesis import given
from hypothesis import strategies as st
from module_cases import ANNA, ASSISTANT, BEN, BITNEXUS, KEEPER, OURS, RELAY, SPACE_ID, STRANGER

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
contents = st.dictionaries(
    st.sampled_from(["membership", "join_rule", "allow", "predecessor", "additional_creators", "third_party_invite"])
    | st.text(max_size=5),
    json_values | st.sampled_from(["join", "invite", "leave", "ban", "knock", "public", "restricted"]),
    max_size=4,
)
people = st.sampled_from([ANNA, BEN, STRANGER, "@admin:s", "@bitnexus:elsewhere", ""])
accounts = people | st.sampled_from([BITNEXUS, KEEPER, RELAY, ASSISTANT])
no_creators = people | st.sampled_from([RELAY, ASSISTANT])
markers = st.builds(
    Marker,
    tenant_id=st.just("acme"),
    type=st.sampled_from(["space", "general", "dm", "alliance", "custom"]),
    space_id=st.none() | st.just(SPACE_ID),
)
rooms = st.builds(
    Room,
    marker=st.none() | markers,
    member=st.none()
    | st.builds(Member, membership=st.sampled_from(["join", "invite", "leave", "ban"]), sender=accounts),
    in_space=st.booleans(),
)
event_types = st.sampled_from(sorted(rules.STATE_TYPES | {"m.room.encryption", "m.room.encrypted", "m.room.message"}))


def events(sender: st.SearchStrategy[str], types: st.SearchStrategy[str] = event_types) -> st.SearchStrategy[Event]:
    state_keys = st.none() | st.just("") | accounts
    return st.builds(Event, type=types, sender=sender, state_key=state_keys, content=contents)


@given(events(no_creators, st.just("m.room.power_levels")), rooms)
def test_no_decision_lets_anybody_but_a_creator_send_power_levels(event: Event, room: Room) -> None:
    assert not rules.decide_event(event, room, OURS).allowed


@given(events(no_creators, st.text(max_size=10).map("com.bitnexus.".__add__)), rooms)
def test_no_decision_lets_anybody_but_a_creator_send_our_types(event: Event, room: Room) -> None:
    assert not rules.decide_event(event, room, OURS).allowed


@given(events(accounts, st.sampled_from(["m.room.encryption", "m.room.encrypted"])), rooms)
def test_no_decision_lets_encryption_in(event: Event, room: Room) -> None:
    assert rules.decide_event(event, room, OURS).reason == Refusal.ENCRYPTION


@given(events(no_creators, st.just("m.room.create")), rooms)
def test_no_decision_lets_anybody_but_a_creator_make_a_room(event: Event, room: Room) -> None:
    assert not rules.decide_event(event, room, OURS).allowed


@given(no_creators, st.dictionaries(st.text(max_size=10), json_values, max_size=4))
def test_no_request_lets_anybody_but_a_creator_make_a_room(user_id: str, room_config: dict[str, object]) -> None:
    assert not rules.decide_creation(user_id, room_config, OURS).allowed


@given(people, rooms)
def test_nobody_enters_a_tenants_room_from_outside_its_space(user_id: str, room: Room) -> None:
    is_member_already = room.member is not None and room.member.membership == "join"
    is_space = room.marker is not None and room.marker.type == "space"
    if not is_member_already and not is_space and not room.in_space:
        assert rules.decide_join(user_id, room, OURS) == Decision(Refusal.JOIN)


@given(people, rooms)
def test_a_space_admits_only_whom_a_creator_invited(user_id: str, room: Room) -> None:
    if room.marker is None or room.marker.type != "space" or not rules.decide_join(user_id, room, OURS).allowed:
        return
    assert room.member is not None
    assert room.member.membership == "join" or (
        room.member.membership == "invite" and room.member.sender in OURS.creators
    )


@given(people, rooms)
def test_whom_somebody_else_took_out_comes_back_by_our_invitation_alone(user_id: str, room: Room) -> None:
    member = room.member
    if member is None or member.membership != "leave" or member.sender == user_id or member.sender in OURS:
        return
    assert not rules.decide_join(user_id, room, OURS).allowed


@given(events(people), st.builds(Room, in_space=st.booleans()))
def test_a_room_without_marker_lets_people_do_nothing_but_leave(event: Event, room: Room) -> None:
    if rules.decide_event(event, room, OURS).allowed:
        assert (event.type, event.membership, event.state_key) == ("m.room.member", "leave", event.sender)


@given(events(accounts, st.text(max_size=12) | event_types), rooms)
def test_every_event_gets_a_decision_and_every_refusal_a_sentence(event: Event, room: Room) -> None:
    decision = rules.decide_event(event, room, OURS)
    assert decision.allowed == (decision.sentence == "")


@given(st.lists(accounts, max_size=4), accounts)
def test_who_is_ours_is_decided_by_the_settings_alone(creators: list[str], user_id: str) -> None:
    ours = Ours(creators=frozenset(creators), bots=frozenset())
    assert rules.decide_creation(user_id, {}, ours).allowed == (user_id in creators)
