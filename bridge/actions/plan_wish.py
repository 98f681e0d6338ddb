"""Say what a wish would change, of what is desired and then in Matrix; nothing is stored, and Matrix is not asked."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from bridge.actions.hold_tenant import refuse_removed
from bridge.actions.plan_tenant import people_in
from bridge.model.change import MemberWish, TenantWish
from bridge.model.effect import effect_target
from bridge.model.ids import MemberID, TenantID, UserID
from bridge.model.json import json_sha256
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Member, Person, Tenant
from bridge.policy.desired import apply_wish
from bridge.policy.layout import lay_out
from bridge.policy.member_changes import (
    Roster,
    needs_confirmation,
    refuse_duplicates,
    refuse_loss_of_last_owner,
    removal_hash,
)
from bridge.policy.plan import Plan, make_plan
from bridge.policy.reconcile import reconcile
from bridge.policy.wish_changes import WishChange, changes_between, unknown_person
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWish:
    """A tenant with its whole list of members; ``members`` None leaves them as they are."""

    tenant_id: TenantID
    tenant: TenantWish
    members: Sequence[MemberWish] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WishPlan:
    """What a wish would change."""

    tenant_id: TenantID
    name: str
    changes: tuple[WishChange, ...]
    plan: Plan
    people: Mapping[UserID, MemberID]
    """Who the people in the plan are; those who are not made yet stand under an id that no real person has."""
    takes_out_many: bool
    """Whether it takes out so many people that it may be a mistake."""
    confirmation: str
    """What confirms the removals of the list, once somebody has looked at them."""

    @property
    def is_empty(self) -> bool:
        """Whether everything is as wished, of what is desired and in Matrix."""
        return not self.changes and not self.plan.effects

    @property
    def hash(self) -> str:
        """What changes whenever anything of the plan does."""
        return json_sha256([self.tenant_id, [asdict(change) for change in self.changes], self.plan.hash])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWish:
    """Apply a wish to what is stored, lay it out, and compare it with what stands."""

    database: Database
    house: MatrixHouse
    max_removal_percent: int

    async def __call__(self, wish: WholeWish) -> WishPlan:
        """Return the plan; raises InvalidInput or Conflict, as storing the wish would."""
        async with self.database.work(wish.tenant_id) as work:
            current = await work.tenants.find()
            if current is not None:
                refuse_removed(current)
            wanted = apply_wish(wish.tenant_id, current, wish.tenant)
            if wish.members is not None:
                ids = [member.member_id for member in wish.members]
                wanted = self._with_members(wanted, wish.members, await work.people.find_all(ids))
            observed = await work.rooms.observed()
            people = await work.rooms.observed_people([member.user_id for member in wanted.members])
            observed = replace(observed, people=people)
            room_ids = {key: room.room_id for key, room in observed.rooms.items()}
            effects = reconcile(lay_out(wanted, self.house, room_ids), observed, self.house.bots)
            named = people_in(effect_target(effect) for effect in effects)
            known = await work.people.member_ids(named)
        before = current.members if current else ()
        return WishPlan(
            tenant_id=wish.tenant_id,
            name=wanted.name,
            changes=changes_between(current, wanted),
            plan=make_plan(effects),
            people={**known, **{member.user_id: member.member_id for member in (*before, *wanted.members)}},
            takes_out_many=self._takes_out_many(before, wanted),
            confirmation=_confirmation(wish.tenant_id, before, wanted),
        )

    def _with_members(self, tenant: Tenant, wishes: Sequence[MemberWish], people: Mapping[MemberID, Person]) -> Tenant:
        refuse_duplicates(wish.member_id for wish in wishes)
        refuse_loss_of_last_owner(Roster.of(tenant.members), {wish.member_id: wish.role for wish in wishes})
        standing = {member.member_id: member for member in tenant.members}
        members = (self._member(wish, standing.get(wish.member_id), people.get(wish.member_id)) for wish in wishes)
        return replace(tenant, members=tuple(sorted(members, key=lambda member: member.member_id)))

    def _member(self, wish: MemberWish, standing: Member | None, person: Person | None) -> Member:
        if standing is not None:
            return replace(standing, role=wish.role, display_name=wish.display_name or standing.display_name)
        unknown = unknown_person(wish.member_id, self.house.server_name)
        return Member(
            member_id=wish.member_id,
            user_id=person.user_id if person else unknown,
            role=wish.role,
            display_name=wish.display_name or (person.display_name if person else wish.member_id),
            active=person.active if person else True,
            avatar_url=person.avatar_url if person else "",
        )

    def _takes_out_many(self, before: Sequence[Member], wanted: Tenant) -> bool:
        ids = {member.member_id for member in before}
        removed = ids - {member.member_id for member in wanted.members}
        return needs_confirmation(ids, removed, max_percent=self.max_removal_percent)


def _confirmation(tenant_id: TenantID, before: Sequence[Member], wanted: Tenant) -> str:
    roles = {member.member_id: member.role for member in wanted.members}
    return removal_hash(tenant_id, Roster.of(before), roles)
