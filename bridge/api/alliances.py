"""Routes of alliances, for the backend and for the owners and admins of their two sides."""

from bridge.actions.show_alliance import Shown
from bridge.api.call import Call
from bridge.api.shapes import AllianceBody, AllianceChangeAnswer, AllianceItem, AllianceSpeakerBody, Page
from bridge.model.alliance import AllianceChange, AllianceWish, Verb
from bridge.model.ids import AllianceID, parse_alliance_id, parse_member_id, parse_tenant_id


async def put_alliance(call: Call) -> AllianceChangeAnswer:
    """Propose an alliance, or choose its people."""
    body = call.body_as(AllianceBody)
    wish = AllianceWish(
        alliance_id=_alliance_id(call),
        owner_tenant_id=parse_tenant_id(body.owner_tenant_id, path="$.owner_tenant_id"),
        partner_tenant_id=parse_tenant_id(body.partner_tenant_id, path="$.partner_tenant_id"),
        name=body.name,
        members={
            parse_tenant_id(side, path="$.members"): tuple(parse_member_id(found) for found in members)
            for side, members in body.members.items()
        },
    )
    return _change_answer(await call.actions.put_alliance(wish, credential=call.administrator))


async def post_accept(call: Call) -> AllianceChangeAnswer:
    """Accept an alliance, as its partner."""
    return await _speak(call, "accept")


async def post_suspend(call: Call) -> AllianceChangeAnswer:
    """Let an alliance rest."""
    return await _speak(call, "suspend")


async def post_resume(call: Call) -> AllianceChangeAnswer:
    """Take back what one's own side has suspended."""
    return await _speak(call, "resume")


async def post_revoke(call: Call) -> AllianceChangeAnswer:
    """End an alliance for good."""
    return await _speak(call, "revoke")


async def get_alliance(call: Call) -> AllianceItem:
    """Show an alliance."""
    return _item(await call.actions.show_alliance(_alliance_id(call), credential=call.administrator))


async def get_alliances(call: Call) -> Page[AllianceItem]:
    """List a tenant's alliances in the order of their ids."""
    after = call.request.query.get("after")
    after_id = parse_alliance_id(after, path="after") if after else None
    found = await call.actions.list_alliances(
        call.tenant_id, after=after_id, limit=call.limit + 1, credential=call.administrator
    )
    items = tuple(_item(shown) for shown in found[: call.limit])
    return Page(items=items, next=items[-1].alliance_id if len(found) > call.limit else None)


async def _speak(call: Call, verb: Verb) -> AllianceChangeAnswer:
    tenant_id = parse_tenant_id(call.body_as(AllianceSpeakerBody).tenant_id)
    change = await call.actions.speak_on_alliance(_alliance_id(call), tenant_id, verb, credential=call.administrator)
    return _change_answer(change)


def _alliance_id(call: Call) -> AllianceID:
    return parse_alliance_id(call.path("alliance_id"))


def _change_answer(change: AllianceChange) -> AllianceChangeAnswer:
    return AllianceChangeAnswer(
        alliance_id=change.alliance.alliance_id,
        state=change.alliance.state.value,
        revision=change.alliance.revision,
        job_id=change.job_id,
        room_id=change.room_id,
        in_force=change.in_force,
    )


def _item(shown: Shown) -> AllianceItem:
    alliance, room_id = shown
    return AllianceItem(
        alliance_id=alliance.alliance_id,
        owner_tenant_id=alliance.owner_tenant_id,
        partner_tenant_id=alliance.partner_tenant_id,
        name=alliance.name,
        state=alliance.state.value,
        suspended_by=tuple(sorted(alliance.suspended_by)),
        members={side: tuple(sorted(alliance.chosen_by(side))) for side in alliance.sides},
        room_id=room_id,
        accepted_at=alliance.accepted_at,
        ended_at=alliance.ended_at,
        ended_by_tenant_id=alliance.ended_by_tenant,
        revision=alliance.revision,
    )
