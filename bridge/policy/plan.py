"""A plan: the effects of a reconcile, with a hash that changes when any of them does, and a summary."""

from dataclasses import asdict, dataclass

from bridge.model.effect import (
    CreateRoom,
    Effect,
    JoinUser,
    RegisterUser,
    RemoveUser,
    SetAvatar,
    SetDisplayName,
    SetState,
)
from bridge.model.json import json_sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What reconcile would do now."""

    hash: str
    effects: tuple[Effect, ...]
    create: int
    change: int
    remove: int


def make_plan(effects: tuple[Effect, ...]) -> Plan:
    """Return the plan of these effects, in their order."""
    return Plan(
        hash=json_sha256([asdict(effect) for effect in effects]),
        effects=effects,
        create=sum(isinstance(effect, RegisterUser | CreateRoom | JoinUser) for effect in effects),
        change=sum(isinstance(effect, SetState | SetDisplayName | SetAvatar) for effect in effects),
        remove=sum(isinstance(effect, RemoveUser) for effect in effects),
    )
