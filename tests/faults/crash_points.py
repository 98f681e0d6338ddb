"""Named places in the bridge where it can be made to die or to freeze; planted from outside, in the forked process.

The product has no switch for this: its functions are wrapped before it starts. A point that is passed the planned
number of times tells so to the harness and sends the process a signal.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

import bridge.app
from bridge.actions.apply_effect import ApplyEffect
from bridge.actions.handle_matrix_events import HandleMatrixEvents
from bridge.actions.reconcile_tenant import ReconcileTenant
from bridge.actions.relay_event import RelayEvent
from bridge.actions.send_messages import SendMessages
from bridge.db.gaps import GapStore
from bridge.db.inbox import InboxStore
from bridge.db.jobs import JobStore
from bridge.db.lanes import LaneStore
from bridge.db.outbox import OutboxStore
from bridge.db.rooms import RoomStore
from bridge.matrix.appservice import AppserviceEndpoints
from bridge.matrix.homeserver import SynapseHomeserver
from bridge.worker import Worker

_MIDWAY_SECONDS = 0.004
"""A request is with its receiver by then and its answer is not here."""
_LATER_SECONDS = 0.02
"""What was begun is over by then: a commit, an answer of ours."""


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """Signal the process when it passes ``point`` for the ``passage``-th time."""

    point: str
    passage: int = 1
    number: int = signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wrap:
    """A coroutine function of the bridge, and the points before it, in its midst, and behind it."""

    owner: Any
    name: str
    before: str | None = None
    midway: str | None = None
    after: str | None = None
    later: str | None = None
    counts: Callable[[Any], bool] = field(default=lambda _result: True)


_WRAPS = (
    _Wrap(owner=bridge.app, name="store_transaction", before="store.before", after="store.after_commit"),
    _Wrap(owner=AppserviceEndpoints, name="put_transaction", later="store.after_answer"),
    _Wrap(owner=RelayEvent, name="__call__", after="accept.after_commit", later="accept.after_answer"),
    _Wrap(owner=OutboxStore, name="add_delivery", after="accept.before_commit"),
    _Wrap(owner=LaneStore, name="claim", after="claim.after", counts=bool),
    _Wrap(owner=LaneStore, name="release", before="release.before"),
    _Wrap(owner=SynapseHomeserver, name="send", before="send.before", midway="send.midway", after="send.after_answer"),
    _Wrap(owner=SendMessages, name="bury", before="bury.before"),
    _Wrap(owner=SendMessages, name="_record", after="complete.after_commit"),
    _Wrap(owner=OutboxStore, name="finish", before="complete.before", after="complete.before_commit"),
    _Wrap(owner=OutboxStore, name="acknowledge_echo", after="echo.before_commit", counts=bool),
    _Wrap(owner=HandleMatrixEvents, name="__call__", before="handle.before", after="handle.after_commit"),
    _Wrap(owner=InboxStore, name="finish", after="handle.before_commit", later="handle.between"),
    _Wrap(owner=GapStore, name="store", before="repair.before", after="repair.after_commit"),
)

_RECONCILE_WRAPS = (
    _Wrap(owner=ApplyEffect, name="__call__", before="effect.before", midway="effect.midway", after="effect.after"),
    _Wrap(owner=SynapseHomeserver, name="create_room", midway="create.midway", after="create.after_answer"),
    _Wrap(owner=RoomStore, name="record_room", after="create.before_commit"),
    _Wrap(owner=JobStore, name="begin", after="plan.before_commit"),
    _Wrap(owner=JobStore, name="record_results", after="results.before_commit"),
    _Wrap(owner=ReconcileTenant, name="_look_at", before="look.before", after="look.after"),
    _Wrap(owner=JobStore, name="finish", after="job.before_commit"),
)


def _points_of(wraps: Sequence[_Wrap]) -> tuple[str, ...]:
    points = (point for wrap in wraps for point in (wrap.before, wrap.midway, wrap.after, wrap.later))
    return tuple(point for point in points if point is not None)


RECONCILE_POINTS = _points_of(_RECONCILE_WRAPS)
"""Where a reconcile may be cut off; ``tests/integration/test_reconcile_kills.py`` comes to each."""

RARE = frozenset({"bury.before", "handle.between", *RECONCILE_POINTS})
"""Points that only a scenario of their own comes to, or has a use for."""

POINTS = tuple(point for point in _points_of(_WRAPS) if point not in RARE)


def tell_of_work(tell: Callable[[], None]) -> None:
    """Have ``tell`` called when the bridge begins to work: it is attached to Synapse then."""
    start = Worker.start

    def started(self: Worker) -> None:
        start(self)
        tell()

    Worker.start = started  # type: ignore[method-assign]


def plant(planted: Sequence[Planted], tell: Callable[[str], None]) -> None:
    """Wrap what has to be wrapped for ``planted``; ``tell`` gets a point's name just before the signal."""
    unknown = {trap.point for trap in planted} - {*POINTS, *RARE}
    if unknown:
        raise ValueError(f"no such point: {unknown}")
    passing = _Passing(planted, tell)
    for wrap in (*_WRAPS, *_RECONCILE_WRAPS):
        points = {wrap.before, wrap.midway, wrap.after, wrap.later}
        if any(trap.point in points for trap in planted):
            setattr(wrap.owner, wrap.name, _wrapped(wrap, getattr(wrap.owner, wrap.name), passing))


class _Passing:
    def __init__(self, planted: Sequence[Planted], tell: Callable[[str], None]) -> None:
        self._planted, self._tell = planted, tell
        self._passages: Counter[str] = Counter()

    def __call__(self, point: str | None) -> None:
        if point is None:
            return
        self._passages[point] += 1
        for trap in self._planted:
            if trap.point == point and trap.passage == self._passages[point]:
                self._tell(point)
                os.kill(os.getpid(), trap.number)


def _wrapped(wrap: _Wrap, original: Callable[..., Awaitable[Any]], passing: _Passing) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*args: Any, **named: Any) -> Any:
        passing(wrap.before)
        asyncio.get_running_loop().call_later(_MIDWAY_SECONDS, passing, wrap.midway)
        result = await original(*args, **named)
        if wrap.counts(result):
            passing(wrap.after)
        asyncio.get_running_loop().call_later(_LATER_SECONDS, passing, wrap.later)
        return result

    return wrapped
