"""Routes of tenants, their plan and their jobs."""

from collections.abc import Mapping

from bridge.api.call import Call
from bridge.api.shapes import (
    AiSettings,
    ChangeAnswer,
    EffectItem,
    JobAnswer,
    JobEffect,
    Page,
    PlanAnswer,
    PlanSummary,
    ReconcileBody,
    RoomBody,
    TenantAnswer,
    TenantBody,
    TenantItem,
    TenantSettingsBody,
)
from bridge.errors import Conflict
from bridge.model.change import Change, TenantWish
from bridge.model.effect import effect_target
from bridge.model.ids import JobID, MemberID, UserID, parse_member_id, parse_room_key, parse_tenant_id
from bridge.model.job import Job
from bridge.model.tenant import Access, Room, RoomType, Tenant, TenantSettings, TenantStatus


async def put_tenant(call: Call) -> ChangeAnswer:
    """Make a tenant what the body says."""
    body = call.body_as(TenantBody)
    wish = TenantWish(
        name=body.name,
        status=TenantStatus(body.status) if body.status else None,
        settings=_settings_from(body.settings) if body.settings else None,
        rooms=None if body.rooms is None else tuple(_room_from(room) for room in body.rooms),
    )
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


async def get_plan(call: Call) -> PlanAnswer:
    """Show what reconcile would do now."""
    plan, names = await call.actions.plan_tenant(call.tenant_id)
    targets = [effect_target(effect) for effect in plan.effects]
    return PlanAnswer(
        hash=plan.hash,
        effects=tuple(
            EffectItem(
                effect_id=target.effect_id,
                kind=target.kind,
                room_key=target.room_key,
                room_id=target.room_id,
                user_id=names.get(target.user_id) if target.user_id else None,
                matrix_id=target.user_id,
            )
            for target in targets
        ),
        summary=PlanSummary(create=plan.create, change=plan.change, remove=plan.remove),
    )


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


def change_answer(change: Change) -> ChangeAnswer:
    """Return the answer to a change."""
    return ChangeAnswer(revision=change.revision, job_id=change.job_id)


def _settings_from(body: TenantSettingsBody) -> TenantSettings:
    return TenantSettings(
        retention_days=body.retention_days,
        dms=body.dms,
        ai=body.ai.enabled,
        allowed_origins=tuple(sorted(set(body.allowed_origins))),
    )


def _room_from(body: RoomBody) -> Room:
    return Room(
        key=parse_room_key(body.key),
        type=RoomType(body.type),
        name=body.name,
        topic=body.topic,
        access=Access(body.access),
        optional=body.optional,
        member_ids=frozenset(parse_member_id(member_id) for member_id in body.members),
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
        rooms=tuple(_room_body(room) for room in tenant.rooms if not room.archived and not room.personal),
        revision=tenant.revision,
    )


def _room_body(room: Room) -> RoomBody:
    return RoomBody(
        key=room.key,
        type=room.type.value,
        name=room.name,
        topic=room.topic,
        access=room.access.value,
        optional=room.optional,
        members=tuple(sorted(room.member_ids)),
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
