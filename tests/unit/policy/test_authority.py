"""Who may give whom which role: owners any, admins below themselves, nobody else."""

from itertools import product

import pytest

from bridge.model.tenant import Role
from bridge.policy.authority import RANKS, may_administer, may_set_role

BELOW_ADMIN = {Role.MODERATOR, Role.MEMBER, Role.GUEST}


def test_every_role_has_a_rank_of_its_own() -> None:
    assert sorted(RANKS) == sorted(Role)
    assert len(set(RANKS.values())) == len(Role)


@pytest.mark.parametrize(("role", "expected"), [("owner", True), ("admin", True), ("moderator", False),
                                                ("member", False), ("guest", False)])  # fmt: skip
def test_owners_and_admins_administer(role: str, *, expected: bool) -> None:
    assert may_administer(Role(role)) is expected


@pytest.mark.parametrize(("own", "present", "new"), list(product(Role, Role, Role)))
def test_who_may_set_a_role(own: Role, present: Role, new: Role) -> None:
    expected = own is Role.OWNER or (own is Role.ADMIN and {present, new} <= BELOW_ADMIN)
    assert may_set_role(own, present=present, new=new) is expected
