"""Say what reconcile would do for a tenant now, from what is stored; no Matrix request is made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.errors import NotFound
from bridge.model.change import Change
from bridge.model.effect import EffectTarget, effect_target
from bridge.model.ids import MemberID, TenantID, UserID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Tenant
from bridge.policy.layout import lay_out
from bridge.policy.plan import Plan, make_plan
from bridge.policy.reconcile import reconcile
from bridge.ports import Database, Work


async def find_tenant(work: Work) -> Tenant:
    """Return the transaction's tenant, or raise NotFound."""
    tenant = await work.tenants.find()
    if tenant is None:
        raise NotFound("there is no such tenant")
    return tenant


async def plan_of(work: Work, tenant: Tenant, house: MatrixHouse) -> Plan:
    """Return the plan of a tenant from its desired and its observed state."""
    observed = await work.rooms.observed()
    room_ids = {key: room.room_id for key, room in observed.rooms.items()}
    return make_plan(reconcile(lay_out(tenant, house, room_ids), observed, house.bots))


async def ask_for_reconcile(work: Work, house: MatrixHouse) -> Change:
    """Enqueue a reconcile of the transaction's tenant if there is anything to do, and answer with the job."""
    tenant = await find_tenant(work)
    plan = await plan_of(work, tenant, house)
    job_id = await work.jobs.enqueue(tenant.revision) if plan.effects else None
    return Change(revision=tenant.revision, job_id=job_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTenant:
    """Answer ``GET /v1/tenants/{tenant_id}/plan``."""

    database: Database
    house: MatrixHouse

    async def __call__(self, tenant_id: TenantID) -> tuple[Plan, Mapping[UserID, MemberID]]:
        """Return the plan, and who the people in it are; raises NotFound."""
        async with self.database.work(tenant_id) as work:
            plan = await plan_of(work, await find_tenant(work), self.house)
            return plan, await work.people.member_ids(people_in(effect_target(effect) for effect in plan.effects))


def people_in(targets: Iterable[EffectTarget]) -> list[UserID]:
    """Return the Matrix ids that effects are about."""
    return sorted({target.user_id for target in targets if target.user_id is not None})
