"""Groups: a sub-space for every group in use, in which its rooms stand and everybody of the tenant is."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model.ids import SPACE, MemberID, RoomID, RoomKey, group_key, group_of_key, is_space_key
from bridge.model.room import Desired, DesiredRoom
from bridge.model.tenant import Access, Tenant, TenantStatus
from bridge.policy.layout import groups_of, lay_out, type_of_key
from tests.unit.people import BOTS, HOUSE, member, room, tenant_of, user
from tests.unit.policy.strategies import tenants

SALES, FIELD = group_key("Sales"), group_key("Field work")
TENANT = tenant_of(
    member("anna", "owner"),
    member("ben"),
    rooms=(
        room("general"),
        room("leads", group="Sales"),
        room("news"),
        room("tours", group="Field work"),
        room("deals", group="Sales", access=Access.INVITE, member_ids=frozenset({MemberID("ben")})),
    ),
)


def children(found: DesiredRoom) -> list[str]:
    """Return what is linked below a room, in the order in which clients show it."""
    linked = {key: content["order"] for (kind, key), content in found.state.items() if kind == "m.space.child"}
    return sorted(linked, key=lambda key: str(linked[key]))


def parents(found: DesiredRoom) -> dict[str, object]:
    return {key: content for (kind, key), content in found.state.items() if kind == "m.space.parent"}


def test_a_group_is_a_space_of_everybody_in_which_nobody_posts() -> None:
    group = lay_out(TENANT, HOUSE, {SPACE: RoomID("!space")}).rooms[SALES]
    assert group.creation_content == {
        "m.federate": False,
        "com.bitnexus.tenant_id": "acme",
        "com.bitnexus.key": "@group:Sales",
        "additional_creators": [BOTS.keeper],
        "type": "m.space",
    }
    levels = group.state["m.room.power_levels", ""]
    assert (levels["events_default"], levels["state_default"], levels["invite"]) == (150, 150, 150)
    rest = {key: content for key, content in group.state.items() if key[0] != "m.room.power_levels"}
    assert rest == {
        ("m.room.name", ""): {"name": "Sales"},
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
        ("m.room.history_visibility", ""): {"history_visibility": "shared"},
        ("m.room.join_rules", ""): {
            "join_rule": "restricted",
            "allow": [{"type": "m.room_membership", "room_id": "!space"}],
        },
        ("m.space.parent", "!space"): {"via": ["s"], "canonical": True},
        ("m.space.child", "!pending:leads"): {"via": ["s"], "order": "0001"},
        ("m.space.child", "!pending:deals"): {"via": ["s"], "order": "0004"},
        ("com.bitnexus.room", ""): {
            "tenant_id": "acme",
            "key": "@group:Sales",
            "type": "group",
            "space_id": "!space",
        },
    }
    assert group.people == {user("anna"), user("ben")}
    assert group.bots == BOTS.creators
    assert group.takes_back


def test_rooms_and_groups_stand_in_the_order_of_the_list() -> None:
    rooms = lay_out(TENANT, HOUSE, {}).rooms
    assert children(rooms[SPACE]) == [
        "!pending:general",
        "!pending:@group:Sales",
        "!pending:news",
        "!pending:@group:Field work",
    ]
    assert children(rooms[FIELD]) == ["!pending:tours"]


def test_a_grouped_room_has_its_group_as_canonical_parent_and_the_tenants_space_in_its_join_rule() -> None:
    leads = lay_out(TENANT, HOUSE, {SPACE: RoomID("!space"), SALES: RoomID("!sales")}).rooms[RoomKey("leads")]
    assert parents(leads) == {"!sales": {"via": ["s"], "canonical": True}}
    assert leads.state["m.room.join_rules", ""]["allow"] == [{"type": "m.room_membership", "room_id": "!space"}]
    assert leads.state["com.bitnexus.room", ""]["space_id"] == "!space"


def test_a_group_that_is_used_no_more_is_emptied_closed_and_unlinked() -> None:
    tenant = replace(TENANT, rooms=(room("general"), room("leads")))
    desired = lay_out(tenant, HOUSE, {SPACE: RoomID("!space"), SALES: RoomID("!sales")})
    sales = desired.rooms[SALES]
    assert (sales.people, sales.archived, children(sales)) == (frozenset(), True, [])
    assert sales.state["m.room.join_rules", ""] == {"join_rule": "invite"}
    assert sales.state["m.room.name", ""] == {"name": "Sales"}
    assert "!sales" not in children(desired.rooms[SPACE])
    assert "!sales" not in parents(desired.rooms[RoomKey("leads")])
    assert FIELD not in desired.rooms, "what was never made is not made to be archived"


@pytest.mark.parametrize("change", [{"archived": True}, {"personal": True}])
def test_an_archived_room_and_a_persons_own_stand_in_no_group(change: dict[str, bool]) -> None:
    tenant = tenant_of(member("ben"), rooms=(room("leads", group="Sales", **change),))
    desired = lay_out(tenant, HOUSE, {SPACE: RoomID("!space"), RoomKey("leads"): RoomID("!leads")})
    assert SALES not in desired.rooms
    assert parents(desired.rooms[RoomKey("leads")]).keys() == {"!space"}


def test_groups_of_an_archived_tenant_stay_and_are_empty() -> None:
    desired = lay_out(replace(TENANT, status=TenantStatus.ARCHIVED), HOUSE, {})
    assert desired.rooms[SALES].people == frozenset()
    assert not desired.rooms[SALES].archived


@pytest.mark.parametrize(
    ("key", "expected"),
    [("@space", "space"), ("@group:Sales", "group"), ("@group:of old", "group"), ("news", "custom"), ("absent", None)],
)
def test_what_a_room_that_turns_up_is_for(key: str, expected: str | None) -> None:
    assert type_of_key(TENANT, RoomKey(key)) == expected


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_two_groups_share_a_key_and_none_has_a_rooms(one: str, other: str) -> None:
    assert (group_key(one) == group_key(other)) == (one == other)
    assert group_of_key(group_key(one)) == one
    assert is_space_key(group_key(one))
    assert not is_space_key(RoomKey(one)) or one.startswith("@")


ANY = {RoomKey("of old"): RoomID("!old")}
laws = settings(max_examples=60, deadline=None)


@laws
@given(tenants())
def test_only_the_tenants_own_space_opens_a_room(tenant: Tenant) -> None:
    for found in lay_out(tenant, HOUSE, {}).rooms.values():
        allowed = found.state["m.room.join_rules", ""].get("allow", [])
        assert allowed in ([], [{"type": "m.room_membership", "room_id": "!pending:@space"}])


@laws
@given(tenants())
def test_every_room_below_the_space_has_one_parent_and_is_linked_there_once(tenant: Tenant) -> None:
    desired = lay_out(tenant, HOUSE, ANY)
    listed = [found.key for found in tenant.rooms if not found.personal and not found.archived]
    for key in (*listed, *(group_key(name) for name in groups_of(tenant))):
        (parent,) = parents(desired.rooms[key])
        linked_in = [above for above in desired.rooms.values() if f"!pending:{key}" in children(above)]
        assert [f"!pending:{above.key}" for above in linked_in] == [parent]


@laws
@given(tenants())
def test_every_room_is_reached_from_the_space(tenant: Tenant) -> None:
    desired = lay_out(tenant, HOUSE, ANY)
    listed = {found.key for found in tenant.rooms if not found.personal and not found.archived}
    assert _below(desired, SPACE) == listed | {group_key(name) for name in groups_of(tenant)}


def _below(desired: Desired, key: RoomKey) -> set[RoomKey]:
    found = {RoomKey(child.removeprefix("!pending:")) for child in children(desired.rooms[key])}
    return found.union(*(_below(desired, child) for child in found if is_space_key(child)))
