"""Routes of tenants, their plan and their jobs."""

from collections.abc import Mapping

from bridge.api.answers import change_answer, plan_answer
from bridge.api.call import Call
from bridge.api.rooms import room_body, room_from
from bridge.api.shapes import (
    AiSettings,
    ChangeAnswer,
    JobAnswer,
    JobEffect,
    OffboardAnswer,
    Page,
    PlanAnswer,
    ReconcileBody,
    TenantAnswer,
    TenantBody,
    TenantItem,
    TenantSettingsBody,
)
from bridge.errors import Conflict, InvalidInput
from bridge.model.change import Offboarding, TenantWish
from bridge.model.ids import JobID, MemberID, UserID, parse_tenant_id
from bridge.model.job import Job
from bridge.model.tenant import Tenant, TenantSettings, TenantStatus

MAX_GRACE_DAYS = 365


async def put_tenant(call: Call) -> ChangeAnswer:
    """Make a tenant what the body says."""
    wish = wish_from(call.body_as(TenantBody))
    change = await call.actions.upsert_tenant(call.tenant_id, wish, acting_user=call.platform.actor)
    return change_answer(change)


async def get_tenant(call: Call) -> TenantAnswer:
    """Show a tenant as it is desired."""
    return _tenant_answer(await call.actions.show_tenant(call.tenant_id))


async def get_tenants(call: Call) -> Page[TenantItem]:
    """List tenants in the order of their ids."""
    after = call.request.query.get("after")
    after_id = parse_tenant_id(after, path="after") if after else None
    found = await call.actions.list_tenants(after=after_id, limit=call.limit + 1)
    items = tuple(TenantItem(tenant_id=t.tenant_id, name=t.name, status=t.status.value) for t in found[: call.limit])
    return Page(items=items, next=items[-1].tenant_id if len(found) > call.limit else None)


async def delete_tenant(call: Call) -> OffboardAnswer:
    """Off-board a tenant: suspend it at once, remove it after its days of grace, or now when its id confirms that."""
    at_once = call.flag("now")
    if at_once and call.request.query.get("confirm") != call.tenant_id:
        raise InvalidInput("to remove a tenant now, give its id as confirm", path="confirm")
    wish = Offboarding(grace_days=call.number("grace_days", least=0, most=MAX_GRACE_DAYS), at_once=at_once)
    change, tenant = await call.actions.offboard_tenant(call.tenant_id, wish, acting_user=call.platform.actor)
    return OffboardAnswer(
        revision=change.revision, job_id=change.job_id, status=tenant.status.value, removes_at=tenant.removes_at
    )


async def get_plan(call: Call) -> PlanAnswer:
    """Show what reconcile would do now."""
    plan, names = await call.actions.plan_tenant(call.tenant_id)
    return plan_answer(plan, names)


async def post_reconcile(call: Call) -> ChangeAnswer:
    """Ask for a reconcile, if the plan is still the one that was looked at."""
    wanted = call.body_as(ReconcileBody).plan
    if wanted is not None:
        plan, _ = await call.actions.plan_tenant(call.tenant_id)
        if plan.hash != wanted:
            raise Conflict("the plan has changed since it was looked at; look at it again")
    return change_answer(await call.actions.request_reconcile(call.tenant_id))


async def get_job(call: Call) -> JobAnswer:
    """Show how far a job is."""
    job, names = await call.actions.show_job(JobID(call.path("job_id")))
    return _job_answer(job, names)


def wish_from(body: TenantBody) -> TenantWish:
    """Return what a body wishes for."""
    return TenantWish(
        name=body.name,
        status=TenantStatus(body.status) if body.status else None,
        avatar_url=body.avatar_url,
        settings=_settings_from(body.settings) if body.settings else None,
        rooms=None if body.rooms is None else tuple(room_from(room) for room in body.rooms),
    )


def _settings_from(body: TenantSettingsBody) -> TenantSettings:
    return TenantSettings(
        retention_days=body.retention_days,
        dms=body.dms,
        ai=body.ai.enabled,
        allowed_origins=tuple(sorted(set(body.allowed_origins))),
    )


def _tenant_answer(tenant: Tenant) -> TenantAnswer:
    settings = tenant.settings
    return TenantAnswer(
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        status=tenant.status.value,
        settings=TenantSettingsBody(
            retention_days=settings.retention_days,
            dms=settings.dms,
            ai=AiSettings(enabled=settings.ai),
            allowed_origins=settings.allowed_origins,
        ),
        rooms=tuple(room_body(room) for room in tenant.rooms if not room.archived and not room.personal),
        avatar_url=tenant.avatar_url,
        removes_at=tenant.removes_at,
        revision=tenant.revision,
    )


def _job_answer(job: Job, names: Mapping[UserID, MemberID]) -> JobAnswer:
    return JobAnswer(
        job_id=job.job_id,
        state=job.state,
        done=sum(effect.state != "pending" for effect in job.effects),
        total=len(job.effects),
        error=job.error,
        effects=tuple(
            JobEffect(
                effect_id=effect.target.effect_id,
                kind=effect.target.kind,
                room_id=effect.target.room_id,
                user_id=names.get(effect.target.user_id) if effect.target.user_id else None,
                matrix_id=effect.target.user_id,
                state=effect.state,
                error=effect.error,
            )
            for effect in job.effects
        ),
    )
