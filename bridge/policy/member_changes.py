"""What a change of a tenant's members amounts to, and when it goes too far."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bridge.errors import Conflict, InvalidInput
from bridge.model.ids import MemberID, TenantID
from bridge.model.json import json_sha256
from bridge.model.tenant import Member, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who is in a tenant, with their roles, and which of them may use chat."""

    roles: Mapping[MemberID, Role]
    active: frozenset[MemberID]

    @staticmethod
    def of(members: Iterable[Member]) -> "Roster":
        """Return the roster of these members."""
        found = tuple(members)
        return Roster(
            roles={member.member_id: member.role for member in found},
            active=frozenset(member.member_id for member in found if member.active),
        )

    @property
    def owners(self) -> frozenset[MemberID]:
        """Everybody who is an owner."""
        return frozenset(member_id for member_id, role in self.roles.items() if role is Role.OWNER)


def refuse_duplicates(member_ids: Iterable[MemberID]) -> None:
    """Raise InvalidInput for an empty list, or for the first id that stands in it again."""
    seen: set[MemberID] = set()
    for index, member_id in enumerate(member_ids):
        if member_id in seen:
            path = f"$.members[{index}].user_id"
            raise InvalidInput(f"the person '{member_id}' stands in the list twice", path=path)
        seen.add(member_id)
    if not seen:
        raise InvalidInput("a list without anybody is refused; DELETE the tenant to off-board it", path="$.members")


def refuse_loss_of_last_owner(before: Roster, roles: Mapping[MemberID, Role]) -> None:
    """Raise Conflict when ``roles`` leave a tenant without an owner that has one, or with suspended owners alone."""
    owners = frozenset(member_id for member_id, role in roles.items() if role is Role.OWNER)
    had_active, has_active = before.owners & before.active, owners - (before.roles.keys() - before.active)
    if (before.owners and not owners) or (had_active and not has_active):
        raise Conflict("a tenant cannot lose its last owner; make somebody else an owner first")


def needs_confirmation(before: Collection[MemberID], removed: Collection[MemberID], *, max_percent: int) -> bool:
    """Say whether a list takes out a larger share of a tenant's people than it may: it could be a mistake."""
    return len(removed) * 100 > len(before) * max_percent


def removal_hash(tenant_id: TenantID, before: Roster, wanted: Mapping[MemberID, Role]) -> str:
    """Return what a confirmation names: it changes with who is in the tenant and with who shall be.

    What stands in Matrix is not in it: that moves while people look at a plan.
    """
    roles: list[dict[str, str]] = [
        {member_id: role.value for member_id, role in sorted(listed.items())} for listed in (before.roles, wanted)
    ]
    return json_sha256([tenant_id, *roles])
