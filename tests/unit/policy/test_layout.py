"""Tables: how a tenant is laid out, power levels, who belongs where."""

from dataclasses import replace

import pytest

from bridge.model.ids import SPACE, MemberID, RoomKey, UserID
from bridge.model.json import canonical_json
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Access, Role, Room, RoomType, TenantStatus
from bridge.policy.layout import lay_out
from bridge.policy.membership import bots_of_room, people_of_room, people_of_space
from bridge.policy.power_levels import MAX_LISTED, level_of, power_levels, role_of_level
from tests.unit.people import ACME, BOTS, GENERAL, HOUSE, HOUSE_11, member, room, room_ids_of, tenant_of, user

STAFF = (
    member("anna", "owner"),
    member("ada", "admin"),
    member("mo", "moderator"),
    member("ben"),
    member("gus", "guest"),
)


def test_the_space_of_a_tenant() -> None:
    space = lay_out(tenant_of(*STAFF), HOUSE, {}).rooms[SPACE]
    assert space.creation_content == {
        "m.federate": False,
        "com.bitnexus.tenant_id": "acme",
        "com.bitnexus.key": "@space",
        "additional_creators": [BOTS.keeper],
        "type": "m.space",
    }
    levels = space.state["m.room.power_levels", ""]
    assert {key: content for key, content in space.state.items() if key[0] != "m.room.power_levels"} == {
        ("m.room.name", ""): {"name": "Acme"},
        ("m.room.join_rules", ""): {"join_rule": "invite"},
        ("m.room.history_visibility", ""): {"history_visibility": "shared"},
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
        ("m.space.child", "!pending:general"): {"via": ["s"], "order": "0000"},
        ("com.bitnexus.room", ""): {"tenant_id": "acme", "key": "@space", "type": "space"},
    }
    assert levels["events_default"] == 150, "nobody writes into a space"
    assert space.bots == BOTS.creators
    assert space.people == {user(who) for who in ("anna", "ada", "mo", "ben", "gus")}


def test_a_room_of_a_tenant() -> None:
    tenant = tenant_of(*STAFF)
    room = lay_out(tenant, HOUSE, room_ids_of(tenant)).rooms[GENERAL]
    assert room.creation_content == {
        "m.federate": False,
        "com.bitnexus.tenant_id": "acme",
        "com.bitnexus.key": "general",
        "additional_creators": [BOTS.keeper],
    }
    assert {key: content for key, content in room.state.items() if key[0] != "m.room.power_levels"} == {
        ("m.room.name", ""): {"name": "General"},
        ("m.room.topic", ""): {"topic": ""},
        ("m.room.join_rules", ""): {
            "join_rule": "restricted",
            "allow": [{"type": "m.room_membership", "room_id": "!@space"}],
        },
        ("m.room.history_visibility", ""): {"history_visibility": "shared"},
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
        ("m.space.parent", "!@space"): {"via": ["s"], "canonical": True},
        ("com.bitnexus.room", ""): {
            "tenant_id": "acme",
            "key": "general",
            "type": "general",
            "space_id": "!@space",
        },
    }
    assert room.bots == BOTS.creators | {BOTS.relay}


def test_a_private_room_shows_its_history_from_the_invitation_on() -> None:
    private = Room(
        key=RoomKey("board"),
        type=RoomType.CUSTOM,
        name="Board",
        access=Access.INVITE,
        member_ids=frozenset({MemberID("ben")}),
    )
    room = lay_out(tenant_of(*STAFF, rooms=(private,)), HOUSE, {}).rooms[RoomKey("board")]
    assert room.state["m.room.history_visibility", ""] == {"history_visibility": "invited"}
    assert room.state["m.room.join_rules", ""] == {"join_rule": "invite"}
    assert room.people == {user("ben")}


def test_only_version_12_names_additional_creators() -> None:
    assert "additional_creators" not in lay_out(tenant_of(), HOUSE_11, {}).rooms[SPACE].creation_content


def test_children_keep_the_order_of_the_list_beyond_ten_rooms() -> None:
    rooms = tuple(Room(key=RoomKey(f"r{n}"), type=RoomType.CUSTOM, name="R") for n in range(12))
    state = lay_out(tenant_of(rooms=rooms), HOUSE, {}).rooms[SPACE].state
    orders = [str(state["m.space.child", f"!pending:r{n}"]["order"]) for n in range(12)]
    assert orders == sorted(orders)


@pytest.mark.parametrize(
    ("room_type", "events_default", "invite"),
    [
        (None, 150, 150),
        (RoomType.GENERAL, 0, 150),
        (RoomType.ANNOUNCEMENT, 50, 150),
        (RoomType.SUPPORT, 0, 150),
        (RoomType.DM, 0, 0),
        (RoomType.AI, 0, 150),
        (RoomType.ALLIANCE, 0, 150),
        (RoomType.CUSTOM, 0, 150),
    ],
)
def test_power_levels_of_a_room_type(room_type: RoomType | None, events_default: int, invite: int) -> None:
    assert power_levels(HOUSE, room_type, STAFF) == {
        "users": {user("anna"): 100, user("ada"): 75, user("mo"): 50, BOTS.relay: 149, BOTS.assistant: 149},
        "users_default": 0,
        "events": {"m.room.pinned_events": 50, "m.room.power_levels": 150, "m.room.tombstone": 150},
        "events_default": events_default,
        "state_default": 150,
        "invite": invite,
        "kick": 50,
        "redact": 50,
        "ban": 75,
        "notifications": {"room": 50},
    }


@pytest.mark.parametrize(("house", "creators"), [(HOUSE, {}), (HOUSE_11, dict.fromkeys(BOTS.creators, 150))])
def test_creators_in_the_power_levels(house: MatrixHouse, creators: dict[str, int]) -> None:
    users = power_levels(house, RoomType.GENERAL, ())["users"]
    assert users == {BOTS.relay: 149, BOTS.assistant: 149, **creators}


def test_at_most_500_staff_are_listed_and_the_highest_first() -> None:
    crowd = [member(f"m{n}", "moderator") for n in range(MAX_LISTED + 20)]
    users = power_levels(HOUSE, RoomType.GENERAL, [*crowd, member("zoe", "owner"), member("yan", "admin")])["users"]
    people = {who: level for who, level in users.items() if who not in BOTS.all}
    assert len(people) == MAX_LISTED == 500
    assert people[user("zoe")] == 100
    assert people[user("yan")] == 75


@pytest.mark.parametrize(
    ("level", "is_bot", "role"),
    [
        (150, True, "bot"),
        (149, False, "owner"),
        (100, False, "owner"),
        (99, False, "admin"),
        (75, False, "admin"),
        (50, False, "moderator"),
        (49, False, "member"),
        (0, False, "member"),
        (-1, False, "member"),
    ],
)
def test_the_role_that_a_level_stands_for(level: int, *, is_bot: bool, role: str) -> None:
    assert role_of_level(level, is_bot=is_bot) == role


@pytest.mark.parametrize(
    ("levels", "level"),
    [
        ({}, 0),
        ({"users": {user("ben"): 50}}, 50),
        ({"users": {user("ben"): 0}, "users_default": 25}, 0),
        ({"users": {}, "users_default": 25}, 25),
        ({"users": "everybody", "users_default": 25}, 25),
        ({"users": {user("ben"): "50"}}, 0),
        ({"users_default": None}, 0),
    ],
)
def test_the_level_that_a_content_gives(levels: dict[str, object], level: int) -> None:
    assert level_of(user("ben"), levels) == level


@pytest.mark.parametrize("room_type", list(RoomType))
@pytest.mark.parametrize("personal", [False, True])
def test_both_creators_and_those_who_speak_are_in_a_room(room_type: RoomType, *, personal: bool) -> None:
    room = Room(key=RoomKey("x"), type=room_type, name="X", personal=personal)
    speakers = {BOTS.assistant: room_type is RoomType.AI, BOTS.relay: not personal and room_type is not RoomType.DM}
    creators = {BOTS.creator} if room_type is RoomType.DM else BOTS.creators
    assert bots_of_room(BOTS, room) == creators | {bot for bot, speaks in speakers.items() if speaks}


def test_who_belongs() -> None:
    tenant = tenant_of(member("anna"), member("ben"), member("idle", active=False))
    listed = frozenset({MemberID("ben"), MemberID("idle"), MemberID("of_another_tenant")})
    whole = Room(key=GENERAL, type=RoomType.GENERAL, name="G")
    private = Room(key=GENERAL, type=RoomType.GENERAL, name="G", access=Access.INVITE, member_ids=listed)
    archived = Room(key=GENERAL, type=RoomType.GENERAL, name="G", archived=True)
    assert people_of_space(tenant) == {user("anna"), user("ben")}
    assert people_of_room(tenant, whole) == {user("anna"), user("ben")}
    assert people_of_room(tenant, private) == {user("ben")}
    assert people_of_room(tenant, archived) == frozenset()


@pytest.mark.parametrize("status", [TenantStatus.ARCHIVED, TenantStatus.REMOVING, TenantStatus.REMOVED])
def test_nobody_belongs_anywhere_in_a_tenant_that_is_neither_active_nor_suspended(status: TenantStatus) -> None:
    desired = lay_out(tenant_of(*STAFF, status=status), HOUSE, {})
    assert desired.tenant_id == ACME
    assert desired.people == {}
    assert all(room.people == frozenset() for room in desired.rooms.values())


def test_who_has_another_active_tenant_is_out_of_a_suspended_one_and_all_others_stay() -> None:
    anna, ben = member("anna", "owner"), member("ben", "admin")
    tenant = tenant_of(replace(anna, has_other_active_tenant=True), ben, status=TenantStatus.SUSPENDED)
    desired = lay_out(tenant, HOUSE, {})
    assert {key: room.people for key, room in desired.rooms.items()} == {SPACE: {user("ben")}, GENERAL: {user("ben")}}
    levels = desired.rooms[GENERAL].state["m.room.power_levels", ""]["users"]
    assert (user("anna") in levels, levels[user("ben")]) == (False, 75)


@pytest.mark.parametrize("status", [TenantStatus.REMOVING, TenantStatus.REMOVED])
def test_nothing_is_made_for_a_tenant_that_is_being_removed(status: TenantStatus) -> None:
    assert lay_out(tenant_of(*STAFF, status=status), HOUSE, {}).rooms == {}


def test_another_active_tenant_means_nothing_while_this_one_is_active() -> None:
    tenant = tenant_of(replace(member("anna"), has_other_active_tenant=True))
    assert people_of_space(tenant) == {user("anna")}


def test_pictures_are_kept_like_names_and_wanted_only_where_there_is_one() -> None:
    rooms = (room("general", avatar_url="mxc://s/room"), room("plain"))
    anna = replace(member("anna"), avatar_url="mxc://s/anna")
    desired = lay_out(replace(tenant_of(anna, member("ben"), rooms=rooms), avatar_url="mxc://s/acme"), HOUSE, {})
    pictures = {key: found.state.get(("m.room.avatar", "")) for key, found in desired.rooms.items()}
    assert pictures == {SPACE: {"url": "mxc://s/acme"}, "general": {"url": "mxc://s/room"}, "plain": None}
    assert desired.avatars == {user("anna"): "mxc://s/anna"}


@pytest.mark.parametrize("server", ["chat.example.org", "s" * 230])
@pytest.mark.parametrize("house", [HOUSE, HOUSE_11])
def test_2000_people_of_any_role_fit_into_a_rooms_power_levels(house: MatrixHouse, server: str) -> None:
    """An event has at most 65,536 bytes, whatever is around its content, and a user id at most 255."""
    for role in Role:
        crowd = [
            replace(member(f"{n:04d}", role.value), user_id=UserID(f"@u_{'x' * 16}{n:04d}:{server}"))
            for n in range(2000)
        ]
        content = power_levels(house, RoomType.GENERAL, crowd)
        assert len(canonical_json(content)) < 60_000


@pytest.mark.parametrize("role", Role)
def test_every_role_has_a_level(role: Role) -> None:
    listed = power_levels(HOUSE, RoomType.GENERAL, [member("ben", role.value)])["users"]
    assert (user("ben") in listed) == (role not in {Role.MEMBER, Role.GUEST})
