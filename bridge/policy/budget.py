"""How often we write the same again when somebody else undoes it: two writers who fight are stopped.

Every write of ours puts a drop into a bucket that leaks slowly; a full one withholds the next write until it has leaked
enough. Only a run of equal writes counts: when the wish changes, the run is over.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.model.effect import Effect, JoinUser, RemoveUser, SetState
from bridge.model.json import json_sha256

_DIGEST_LENGTH = 16
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """``burst`` writes at once, and one more each ``refill_seconds``."""

    burst: int
    refill_seconds: float


CHANGES = Budget(burst=8, refill_seconds=60)
REVOCATIONS = Budget(burst=24, refill_seconds=5)
"""What takes something away is kept up longer: while we wait, somebody has what is not theirs."""

HORIZON_SECONDS = 900.0
"""How far back writes count; longer than either bucket takes to run empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """A piece of state in a room, and what an effect writes there, as digests."""

    subject: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A write of ours to some subject, ``age_seconds`` ago."""

    value: str
    age_seconds: float


def rewrite_of(effect: Effect) -> Rewrite | None:
    """Return what an effect writes; None for what nobody can undo."""
    match effect:
        case SetState(room_key=key, event_type=event_type, state_key=state_key, content=content):
            return Rewrite(subject=_digest(key, event_type, state_key), value=json_sha256(content)[:_DIGEST_LENGTH])
        case JoinUser(room_key=key, user_id=user_id):
            return Rewrite(subject=_digest(key, "m.room.member", user_id), value="join")
        case RemoveUser(room_key=key, user_id=user_id):
            return Rewrite(subject=_digest(key, "m.room.member", user_id), value="leave")
        case _:
            return None


def budget_of(effect: Effect) -> Budget:
    """Return the budget that an effect is written from."""
    match effect:
        case RemoveUser() | SetState(revokes=True):
            return REVOCATIONS
        case _:
            return CHANGES


def seconds_to_wait(effect: Effect, history: Sequence[Written]) -> float:
    """Return how long to withhold the effect, 0 when it may be made now; ``history`` has the oldest write first."""
    rewrite = rewrite_of(effect)
    if rewrite is None:
        return 0.0
    budget, level, since = budget_of(effect), 0.0, HORIZON_SECONDS
    for age in _run_of(rewrite.value, history):
        level = max(0.0, level - (since - age) / budget.refill_seconds) + 1
        since = age
    level = max(0.0, level - since / budget.refill_seconds)
    too_much = level + 1 - budget.burst
    return too_much * budget.refill_seconds if too_much > _ROUNDING else 0.0


def _run_of(value: str, history: Sequence[Written]) -> list[float]:
    """Return the ages of the newest writes that all wrote ``value``, the oldest first."""
    ages: list[float] = []
    for written in reversed(history):
        if written.value != value:
            break
        ages.append(max(0.0, written.age_seconds))
    return ages[::-1]


def _digest(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:_DIGEST_LENGTH]
