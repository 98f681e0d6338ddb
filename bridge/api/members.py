"""Routes of a tenant's members and of people at large."""

import msgspec

from bridge.actions.replace_members import TooManyRemovals
from bridge.api.answers import change_answer, plan_answer
from bridge.api.call import Call
from bridge.api.shapes import (
    ChangeAnswer,
    ErasureAnswer,
    MemberBody,
    MemberItem,
    MembersBody,
    Page,
    RoleBody,
    UserAnswer,
    UserBody,
)
from bridge.errors import NeedsConfirmation
from bridge.model.change import MemberWish
from bridge.model.ids import MemberID, parse_member_id
from bridge.model.tenant import Person, Role


async def put_member(call: Call) -> ChangeAnswer:
    """Put a person into a tenant, or change their role or name."""
    body = call.body_as(MemberBody)
    change = await call.actions.put_member(
        call.tenant_id,
        _member_id(call),
        role=Role(body.role),
        display_name=body.display_name,
        acting_user=call.platform.actor,
    )
    return change_answer(change)


async def put_members(call: Call) -> ChangeAnswer:
    """Make a tenant's members exactly those of the list."""
    wishes = [
        MemberWish(member_id=parse_member_id(found.user_id), role=Role(found.role), display_name=found.display_name)
        for found in call.body_as(MembersBody).members
    ]
    try:
        change = await call.actions.replace_members(
            call.tenant_id,
            wishes,
            confirm_plan=call.request.query.get("confirm_plan"),
            acting_user=call.platform.actor,
        )
    except TooManyRemovals as refused:
        plan = msgspec.to_builtins(plan_answer(refused.plan, refused.names))
        raise NeedsConfirmation(refused.sentence, plan=plan) from None
    return change_answer(change)


async def patch_member(call: Call) -> ChangeAnswer:
    """Give a member another role."""
    role = Role(call.body_as(RoleBody).role)
    change = await call.actions.change_role(call.tenant_id, _member_id(call), role=role, credential=call.administrator)
    return change_answer(change)


async def delete_member(call: Call) -> ChangeAnswer:
    """Take a person out of a tenant."""
    change = await call.actions.remove_member(call.tenant_id, _member_id(call), acting_user=call.platform.actor)
    return change_answer(change)


async def get_members(call: Call) -> Page[MemberItem]:
    """List a tenant's members in the order of their ids."""
    after = call.request.query.get("after")
    after_id = parse_member_id(after, path="after") if after else ""
    tenant = await call.actions.show_tenant(call.tenant_id)
    behind = [member for member in tenant.members if member.member_id > after_id]
    items = tuple(
        MemberItem(
            user_id=member.member_id,
            matrix_id=member.user_id,
            role=member.role.value,
            display_name=member.display_name,
        )
        for member in behind[: call.limit]
    )
    return Page(items=items, next=items[-1].user_id if len(behind) > call.limit else None)


async def put_user(call: Call) -> UserAnswer:
    """Set a person's name, picture, status and whether they are BitNexus staff."""
    body = call.body_as(UserBody)
    person = await call.actions.put_person(
        _member_id(call),
        display_name=body.display_name,
        super_admin=body.super_admin,
        active=None if body.status is None else body.status == "active",
        avatar_url=body.avatar_url,
        acting_user=call.platform.actor,
    )
    return _user_answer(person)


async def get_user(call: Call) -> UserAnswer:
    """Show a person."""
    return _user_answer(await call.actions.show_person(_member_id(call)))


async def delete_user(call: Call) -> ErasureAnswer:
    """Have a person erased; asked again it answers the same receipt."""
    erasure = await call.actions.ask_for_erasure(_member_id(call), acting_user=call.platform.actor)
    return ErasureAnswer(
        receipt_id=erasure.receipt_id,
        state=erasure.state,
        asked_at=erasure.asked_at,
        finished_at=erasure.finished_at,
        erased=erasure.counts,
    )


def _user_answer(person: Person) -> UserAnswer:
    return UserAnswer(
        user_id=person.member_id,
        matrix_id=person.user_id,
        display_name=person.display_name,
        super_admin=person.super_admin,
        status="active" if person.active else "suspended",
        avatar_url=person.avatar_url,
    )


def _member_id(call: Call) -> MemberID:
    return parse_member_id(call.path("user_id"), path="user_id")
