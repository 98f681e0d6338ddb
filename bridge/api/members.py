"""Routes of a tenant's members and of people at large."""

from bridge.api.call import Call
from bridge.api.shapes import ChangeAnswer, MemberBody, MemberItem, Page, UserAnswer, UserBody
from bridge.api.tenants import change_answer
from bridge.model.ids import MemberID, parse_member_id
from bridge.model.tenant import Role


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
    """Set a person's name, status and whether they are BitNexus staff."""
    body = call.body_as(UserBody)
    person = await call.actions.put_person(
        _member_id(call),
        display_name=body.display_name,
        super_admin=body.super_admin,
        active=None if body.status is None else body.status == "active",
        acting_user=call.platform.actor,
    )
    return UserAnswer(
        user_id=person.member_id,
        matrix_id=person.user_id,
        display_name=person.display_name,
        super_admin=person.super_admin,
        status="active" if person.active else "suspended",
    )


def _member_id(call: Call) -> MemberID:
    return parse_member_id(call.path("user_id"), path="user_id")
