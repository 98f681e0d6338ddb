"""Who may use anything, and what our module is told of people."""

import itertools

import pytest

from bridge.model.ids import MemberID
from bridge.model.standing import Standing, Verdict
from bridge.policy.standing import is_welcome, judge
from tests.unit.people import ACME, user


def standing(**more: object) -> Standing:
    facts: dict[str, object] = {
        "is_registered": True,
        "is_active": True,
        "is_super_admin": False,
        "has_active_tenant": False,
        "suspended_tenants": (ACME,),
        "is_expired": False,
    }
    return Standing(member_id=MemberID("ben"), user_id=user("ben"), **{**facts, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("is_active", "is_super_admin", "has_active_tenant", "expected"),
    [
        (True, False, True, True),
        (True, True, False, True),
        (True, False, False, False),
        (False, False, True, False),
        (False, True, True, False),
    ],
)
def test_who_is_welcome(*, is_active: bool, is_super_admin: bool, has_active_tenant: bool, expected: bool) -> None:
    found = is_welcome(is_active=is_active, is_super_admin=is_super_admin, has_active_tenant=has_active_tenant)
    assert found is expected


def test_who_may_use_nothing_is_expired_whatever_else() -> None:
    for is_expired, is_inside in itertools.product((True, False), repeat=2):
        assert judge(standing(is_expired=is_expired), is_inside_suspended=is_inside) is Verdict.EXPIRE


def test_whoever_may_use_something_again_is_restored_once_no_suspended_tenant_holds_them() -> None:
    again = standing(has_active_tenant=True, is_expired=True)
    assert judge(again, is_inside_suspended=True) is Verdict.HOLD
    assert judge(again, is_inside_suspended=False) is Verdict.RESTORE


def test_who_was_not_expired_goes_on_while_a_suspended_tenant_lets_them_go() -> None:
    assert judge(standing(has_active_tenant=True), is_inside_suspended=True) is Verdict.RESTORE
