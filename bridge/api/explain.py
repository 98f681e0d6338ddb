"""The route that says why somebody is or is not in a room."""

from collections.abc import Mapping

from bridge.api.answers import effect_items
from bridge.api.call import Call
from bridge.api.shapes import ExplainAnswer, PowerLevel, ReasonItem
from bridge.errors import MissingInput
from bridge.model.ids import MemberID, UserID, parse_member_id
from bridge.policy.explain import Explanation


async def get_explanation(call: Call) -> ExplainAnswer:
    """Say why somebody is or is not in a room, and with which power."""
    user_id, room = call.request.query.get("user_id"), call.request.query.get("room")
    if not user_id:
        raise MissingInput("say whom to explain, by user_id", path="user_id")
    if not room:
        raise MissingInput("say which room to explain, by its key or its Matrix id", path="room")
    found, names = await call.actions.explain_membership(
        call.tenant_id, parse_member_id(user_id, path="user_id"), room, credential=call.administrator
    )
    return _answer(found, names)


def _answer(found: Explanation, names: Mapping[UserID, MemberID]) -> ExplainAnswer:
    return ExplainAnswer(
        user_id=found.member_id,
        matrix_id=found.user_id,
        room=found.room_key,
        room_id=found.room_id,
        belongs=found.belongs,
        membership=found.membership,
        power_level=PowerLevel(desired=found.desired_level, observed=found.observed_level),
        reasons=tuple(
            ReasonItem(
                code=reason.code,
                sentence=reason.sentence,
                user_id=names.get(reason.by) if reason.by else None,
                matrix_id=reason.by,
            )
            for reason in found.reasons
        ),
        effects=effect_items(found.effects, names),
    )
