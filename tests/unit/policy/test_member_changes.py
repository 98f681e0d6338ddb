"""When a change of members goes too far: mistaken lists, last owners (rows 18 and 36)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Conflict, InvalidInput
from bridge.model.ids import MemberID, TenantID
from bridge.model.tenant import Role
from bridge.policy.member_changes import (
    Roster,
    needs_confirmation,
    refuse_duplicates,
    refuse_loss_of_last_owner,
    removal_hash,
)
from tests.unit.people import ACME, member


def ids(count: int) -> list[MemberID]:
    return [MemberID(f"p{n}") for n in range(count)]


@pytest.mark.parametrize(
    ("before", "removed", "max_percent", "expected"),
    [
        (2, 1, 20, True),
        (4, 1, 20, True),
        (5, 1, 20, False),
        (10, 2, 20, False),
        (10, 3, 20, True),
        (0, 0, 20, False),
        (100, 20, 20, False),
        (100, 21, 20, True),
        (1, 1, 20, True),  # nobody of those before would be left
        (3, 3, 20, True),
        (3, 0, 20, False),
        (100, 1, 0, True),  # at 0 each removal is confirmed
        (100, 100, 100, False),  # at 100 none is
        (100, 99, 99, False),
        (100, 100, 99, True),
    ],
)
def test_how_many_removals_need_a_confirmation(before: int, removed: int, max_percent: int, *, expected: bool) -> None:
    assert needs_confirmation(ids(before), ids(removed), max_percent=max_percent) is expected


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 100))
def test_who_may_take_out_many_may_take_out_fewer(before: int, removed: int, max_percent: int) -> None:
    removed = min(before, removed)
    if removed and not needs_confirmation(ids(before), ids(removed), max_percent=max_percent):
        assert not needs_confirmation(ids(before), ids(removed - 1), max_percent=max_percent)


def test_a_list_without_anybody_or_with_somebody_twice_is_refused() -> None:
    refuse_duplicates(ids(3))
    for found, path in (([], "$.members"), ([*ids(3), MemberID("p1")], "$.members[3].user_id")):
        with pytest.raises(InvalidInput) as refused:
            refuse_duplicates(found)
        assert refused.value.path == path


ANNA, BEN = MemberID("anna"), MemberID("ben")
OWNERS = (member("anna", "owner"), member("ben", "owner"))


@pytest.mark.parametrize(
    ("before", "after", "is_refused"),
    [
        ((), {ANNA: Role.MEMBER}, False),  # a tenant may have no owner yet
        (OWNERS[:1], {ANNA: Role.OWNER, BEN: Role.MEMBER}, False),
        (OWNERS[:1], {}, True),
        (OWNERS[:1], {ANNA: Role.ADMIN}, True),
        (OWNERS[:1], {BEN: Role.OWNER}, False),
        (OWNERS, {ANNA: Role.OWNER}, False),
        (OWNERS, {ANNA: Role.MEMBER, BEN: Role.GUEST}, True),
        # an owner who is suspended is none to rely on
        ((OWNERS[0], member("ben", "owner", active=False)), {ANNA: Role.ADMIN, BEN: Role.OWNER}, True),
        ((OWNERS[0], member("ben", "owner", active=False)), {ANNA: Role.OWNER}, False),
        ((member("ben", "owner", active=False),), {BEN: Role.OWNER}, False),
        ((member("ben", "owner", active=False),), {BEN: Role.ADMIN}, True),
    ],
)
def test_a_tenant_keeps_an_owner(before: tuple, after: dict[MemberID, Role], *, is_refused: bool) -> None:
    if not is_refused:
        return refuse_loss_of_last_owner(Roster.of(before), after)
    with pytest.raises(Conflict) as refused:
        refuse_loss_of_last_owner(Roster.of(before), after)
    assert "last owner" in refused.value.sentence
    return None


rosters = st.dictionaries(st.sampled_from(ids(5)), st.sampled_from(Role))


@given(rosters, rosters, rosters, rosters)
def test_a_confirmation_is_for_one_change_of_one_roster(
    before: dict, after: dict, other_before: dict, other_after: dict
) -> None:
    def digest(tenant_id: TenantID, was: dict, shall: dict) -> str:
        return removal_hash(tenant_id, Roster(roles=was, active=frozenset(was)), shall)

    is_same = (before, after) == (other_before, other_after)
    assert (digest(ACME, before, after) == digest(ACME, other_before, other_after)) == is_same
    assert digest(ACME, before, after) != digest(TenantID("globex"), before, after)
    assert digest(ACME, before, after) == digest(ACME, dict(reversed(before.items())), dict(reversed(after.items())))
