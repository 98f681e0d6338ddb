"""Make a tenant's members exactly those of a list, unless the list looks like a mistake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.actions.change_members import change_members
from bridge.actions.hold_tenant import follow_people, hold_tenant
from bridge.actions.plan_tenant import ask_for_reconcile, find_tenant, people_in, plan_of
from bridge.errors import Conflict
from bridge.model.audit import Actor
from bridge.model.change import Change, MemberWish
from bridge.model.effect import effect_target
from bridge.model.ids import MemberID, TenantID, UserID
from bridge.model.room import MatrixHouse
from bridge.policy.member_changes import Roster, needs_confirmation, refuse_duplicates, removal_hash
from bridge.policy.plan import Plan
from bridge.ports import Act, Database, Entropy


class TooManyRemovals(Conflict):
    """A list would take out so many that it may be a mistake; the hash of ``plan``, what would follow, confirms it."""

    def __init__(self, *, removed: int, members: int, plan: Plan, names: Mapping[UserID, MemberID]) -> None:
        super().__init__(
            f"this list would take {removed} of {members} people out of the tenant; "
            "if that is meant, send it again with the plan's hash as confirm_plan"
        )
        self.plan, self.names = plan, names


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceMembers:
    """Store a whole list in one transaction: who is missing in it is removed, and nothing is half done."""

    database: Database
    house: MatrixHouse
    entropy: Entropy
    max_removal_percent: int

    async def __call__(
        self, tenant_id: TenantID, wishes: Sequence[MemberWish], *, confirm_plan: str | None, acting_user: Actor
    ) -> Change:
        """Return the revision and the job; raises InvalidInput, NotFound, Conflict and TooManyRemovals."""
        refuse_duplicates(wish.member_id for wish in wishes)
        wanted = {wish.member_id: wish.role for wish in wishes}
        async with self.database.act(tenant_id, acting_user) as act:
            tenant = await hold_tenant(act)
            before = Roster.of(tenant.members)
            removed = before.roles.keys() - wanted.keys()
            await change_members(act, tenant, wishes=wishes, removed=removed, house=self.house, entropy=self.entropy)
            digest = removal_hash(tenant_id, before, wanted)
            is_large = needs_confirmation(before.roles, removed, max_percent=self.max_removal_percent)
            if is_large and confirm_plan != digest:
                # all of it is undone: the error leaves the transaction
                raise await self._refusal(act, digest, removed=len(removed), members=len(before.roles))
            change = await ask_for_reconcile(act, self.house)
        await follow_people(self.database, self.house, sorted({*before.roles, *wanted}), but=tenant_id)
        return change

    async def _refusal(self, act: Act, digest: str, *, removed: int, members: int) -> TooManyRemovals:
        plan = await plan_of(act, await find_tenant(act), self.house)
        names = await act.people.member_ids(people_in(effect_target(effect) for effect in plan.effects))
        return TooManyRemovals(removed=removed, members=members, plan=replace(plan, hash=digest), names=names)
