"""Explanations: each rule has its reason, and the chain always says why somebody is where they are."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.model.effect import JoinUser, RemoveUser
from bridge.model.ids import SPACE, MemberID, RoomKey, UserID, group_key
from bridge.model.room import Membership, Observed, ObservedMembership
from bridge.model.tenant import Access, Tenant, TenantStatus
from bridge.policy.explain import Explanation, Question, explain
from bridge.policy.layout import lay_out
from bridge.policy.power_levels import MAX_LISTED
from bridge.policy.reconcile import reconcile
from tests.unit.people import BOTS, GENERAL, HOUSE, member, room, room_ids_of, stand, tenant_of, user
from tests.unit.policy.strategies import NAMES, STRANGERS, standing, tenants

BOARD, CLUB, OLD = RoomKey("board"), RoomKey("club"), RoomKey("old")
ROOMS = (
    room("general"),
    room("board", access=Access.INVITE, member_ids=frozenset({MemberID("ben")})),
    room("club", optional=True),
    room("old", archived=True),
    room("leads", group="Sales"),
)
TENANT = tenant_of(
    member("anna", "owner"), member("mo", "moderator"), member("ben"), member("idle", active=False), rooms=ROOMS
)


def standing_of(tenant: Tenant) -> Observed:
    return stand(lay_out(tenant, HOUSE, room_ids_of(tenant)), room_ids_of(tenant))


def seen(observed: Observed, key: RoomKey, who: str, membership: Membership, sender: UserID) -> Observed:
    found = observed.rooms[key]
    members = {**found.members, user(who): ObservedMembership(membership=membership, sender=sender)}
    return replace(observed, rooms={**observed.rooms, key: replace(found, members=members)})


def ask(who: str, key: RoomKey = GENERAL, *, tenant: Tenant = TENANT, observed: Observed | None = None) -> Explanation:
    observed = standing_of(tenant) if observed is None else observed
    desired = lay_out(tenant, HOUSE, {name: found.room_id for name, found in observed.rooms.items()})
    is_known = any(user(who) in found.members for found in observed.rooms.values())
    is_member = any(found.member_id == who for found in tenant.members)
    return explain(
        Question(
            tenant=tenant,
            desired=desired,
            observed=observed,
            effects=reconcile(desired, observed, BOTS),
            bots=BOTS,
            member_id=MemberID(who),
            user_id=user(who) if is_known or is_member else None,
            room_key=key,
        )
    )


def codes(found: Explanation) -> list[str]:
    return [reason.code for reason in found.reasons]


def test_somebody_who_is_where_they_belong() -> None:
    found = ask("mo")
    assert (found.belongs, found.membership, found.desired_level, found.observed_level) == (True, "join", 50, 50)
    assert codes(found) == [
        "tenant_active", "member_of_tenant", "room_for_everybody", "membership_join", "power_of_role",
    ]  # fmt: skip
    assert found.effects == ()
    assert found.room_id == "!general"
    assert "as moderator their power level is 50" in [reason.sentence for reason in found.reasons]


@pytest.mark.parametrize(
    ("who", "key", "belongs", "expected"),
    [
        ("ben", BOARD, True, "listed_in_room"),
        ("anna", BOARD, False, "not_listed_in_room"),
        ("ben", OLD, False, "room_archived"),
        ("ben", SPACE, True, "space_for_everybody"),
        ("ben", group_key("Sales"), True, "group_for_everybody"),
        ("idle", GENERAL, False, "person_suspended"),
        ("nobody", GENERAL, False, "not_a_member"),
    ],
)
def test_the_rule_that_decides_is_named(who: str, key: RoomKey, *, belongs: bool, expected: str) -> None:
    found = ask(who, key)
    assert found.belongs is belongs
    assert expected in codes(found)


def test_a_person_whom_the_tenant_does_not_know_has_no_matrix_id() -> None:
    found = ask("nobody")
    assert (found.user_id, found.membership, found.desired_level, found.observed_level) == (None, None, None, None)
    assert codes(found) == ["tenant_active", "not_a_member", "room_for_everybody", "never_in_room"]


def test_a_group_that_is_used_no_more() -> None:
    observed = standing_of(TENANT)
    found = ask("ben", group_key("Sales"), tenant=replace(TENANT, rooms=ROOMS[:1]), observed=observed)
    assert (found.belongs, found.membership) == (False, "join")
    assert "group_unused" in codes(found)
    assert codes(found)[-1] == "removal_pending"


@pytest.mark.parametrize(
    ("membership", "sender", "key", "expected", "by"),
    [
        ("leave", user("mo"), GENERAL, "kicked", user("mo")),
        ("ban", user("mo"), GENERAL, "banned", user("mo")),
        ("ban", BOTS.creator, GENERAL, "banned", BOTS.creator),
        ("leave", BOTS.creator, GENERAL, "taken_out_by_us", BOTS.creator),
        ("leave", user("ben"), GENERAL, "left_and_comes_back", None),
        ("leave", user("ben"), CLUB, "left_and_is_let_go", None),
        ("leave", user("ben"), BOARD, "left_and_is_let_go", None),
        ("invite", BOTS.creator, BOARD, "membership_invite", None),
        ("knock", user("ben"), GENERAL, "membership_knock", None),
    ],
)
def test_what_happened_in_matrix_is_named_with_who_did_it(
    membership: Membership, sender: UserID, key: RoomKey, expected: str, by: UserID | None
) -> None:
    found = ask("ben", key, observed=seen(standing_of(TENANT), key, "ben", membership, sender))
    (reason,) = [reason for reason in found.reasons if reason.code == expected]
    assert reason.by == by
    stays_out = expected in {"kicked", "banned", "left_and_is_let_go"}
    assert ("join_pending" in codes(found)) == (not stays_out)


def test_who_was_taken_out_of_the_space_is_kept_out_of_the_rooms() -> None:
    observed = seen(standing_of(TENANT), SPACE, "ben", "leave", user("anna"))
    found = ask("ben", observed=seen(observed, GENERAL, "ben", "leave", BOTS.creator))
    assert {reason.code: reason.by for reason in found.reasons}["excluded_from_tenant"] == user("anna")
    assert "join_pending" not in codes(found)


@pytest.mark.parametrize(("elsewhere", "code"), [(True, "has_other_active_tenant"), (False, "no_other_active_tenant")])
def test_a_suspended_tenant_says_who_stays(*, elsewhere: bool, code: str) -> None:
    ben = replace(member("ben"), has_other_active_tenant=elsewhere)
    tenant = tenant_of(ben, status=TenantStatus.SUSPENDED)
    found = ask("ben", tenant=tenant, observed=standing_of(tenant_of(member("ben"))))
    assert codes(found)[:3] == ["tenant_suspended", "member_of_tenant", code]
    assert found.belongs is not elsewhere
    assert ("removal_pending" in codes(found)) is elsewhere


def test_power_that_somebody_has_meddled_with() -> None:
    observed = standing_of(TENANT)
    general = observed.rooms[GENERAL]
    levels = {**general.state["m.room.power_levels", ""], "users": {user("ben"): 100}}
    meddled = replace(general, state={**general.state, ("m.room.power_levels", ""): levels})
    found = ask("ben", observed=replace(observed, rooms={**observed.rooms, GENERAL: meddled}))
    assert (found.desired_level, found.observed_level) == (0, 100)
    assert codes(found)[-3:] == ["power_of_role", "power_differs", "power_pending"]
    assert [effect.kind for effect in found.effects] == ["set_state"]


def test_a_moderator_for_whom_the_list_has_no_room() -> None:
    crowd = [member(f"a{n}", "admin") for n in range(MAX_LISTED)]
    found = ask("mo", tenant=tenant_of(*crowd, member("mo", "moderator")))
    assert found.desired_level == 0
    assert "power_list_full" in codes(found)


def test_a_room_that_is_yet_to_be_made() -> None:
    found = ask("ben", observed=Observed(rooms={}, people={}))
    assert (found.room_id, found.membership, found.belongs) == (None, None, True)
    assert codes(found)[-3:] == ["power_of_role", "join_pending", "room_pending"]
    assert "room_not_made" in codes(found)


STAYS_OUT = {"kicked", "banned", "excluded_from_tenant", "left_and_is_let_go"}
laws = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@laws
@given(tenants(), st.data())
def test_every_difference_between_shall_and_is_has_its_reason(tenant: Tenant, data: st.DataObject) -> None:
    matrix, ids = data.draw(standing(tenant))
    observed = matrix.observe(ids, [user(name) for name in NAMES])
    keys = [*lay_out(tenant, HOUSE, ids).rooms, *(found.key for found in tenant.rooms)]
    if not keys:
        return
    found = ask(
        data.draw(st.sampled_from(NAMES + STRANGERS)),
        data.draw(st.sampled_from(keys)),
        tenant=tenant,
        observed=observed,
    )
    said = set(codes(found))
    assert len(said) == len(found.reasons), "no reason twice"
    pending = {type(effect) for effect in found.effects}
    assert ("join_pending" in said) == (JoinUser in pending)
    assert ("removal_pending" in said) == (RemoveUser in pending)
    if found.membership == "join" and not found.belongs:
        assert "removal_pending" in said
    if found.belongs and found.membership != "join":
        assert "join_pending" in said or said & STAYS_OUT
    if not found.belongs:
        assert said & {
            "not_a_member", "person_suspended", "has_other_active_tenant", "tenant_archived", "tenant_removing",
            "tenant_removed", "room_archived", "not_listed_in_room", "group_unused",
        }  # fmt: skip
    if found.desired_level is not None and found.observed_level not in {None, found.desired_level}:
        assert {"power_differs", "power_pending"} <= said
