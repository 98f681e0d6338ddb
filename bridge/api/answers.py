"""Answers that several nouns give."""

from collections.abc import Iterable, Mapping

from bridge.api.shapes import ChangeAnswer, EffectItem, PlanAnswer, PlanSummary
from bridge.model.change import Change
from bridge.model.effect import Effect, effect_target
from bridge.model.ids import MemberID, UserID
from bridge.policy.plan import Plan


def change_answer(change: Change) -> ChangeAnswer:
    """Return the answer to a change."""
    return ChangeAnswer(revision=change.revision, job_id=change.job_id)


def plan_answer(plan: Plan, names: Mapping[UserID, MemberID]) -> PlanAnswer:
    """Return a plan as it is shown; ``names`` has the people in it."""
    return PlanAnswer(
        hash=plan.hash,
        effects=effect_items(plan.effects, names),
        summary=PlanSummary(create=plan.create, change=plan.change, remove=plan.remove),
    )


def effect_items(effects: Iterable[Effect], names: Mapping[UserID, MemberID]) -> tuple[EffectItem, ...]:
    """Return effects as they are shown."""
    return tuple(
        EffectItem(
            effect_id=target.effect_id,
            kind=target.kind,
            room_key=target.room_key,
            room_id=target.room_id,
            user_id=names.get(target.user_id) if target.user_id else None,
            matrix_id=target.user_id,
        )
        for target in map(effect_target, effects)
    )
