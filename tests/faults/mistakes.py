"""Faults of a bridge itself, planted in the forked process: what some scenarios need to come about."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from bridge.db.lanes import LaneStore
from bridge.errors import DependencyDown
from bridge.matrix.homeserver import SynapseHomeserver
from tests.faults.safeguards import SAFEGUARDS

_IN_VAIN_SECONDS = 3.0


def spoil(names: Sequence[str]) -> None:
    """Take the named safeguards out of this process, and make the named mistakes in it."""
    for name in names:
        {**SAFEGUARDS, **MISTAKES}[name]()


def _fail_to_send() -> None:
    async def send(_self: SynapseHomeserver, *_args: Any, **_named: Any) -> None:
        raise RuntimeError("a mistake of ours")

    SynapseHomeserver.send = send  # type: ignore[assignment,method-assign]


def _leave_every_other_send_unanswered() -> None:
    send, sends = SynapseHomeserver.send, count(1)

    async def unsteady(self: SynapseHomeserver, *args: Any, **named: Any) -> Any:
        if next(sends) % 2:
            raise DependencyDown("not answered")
        return await send(self, *args, **named)

    SynapseHomeserver.send = unsteady  # type: ignore[method-assign]


def _notice_no_lost_lane() -> None:
    """Go on with a lane that somebody else holds now: else the next beat of its heart would end the work."""
    renew = LaneStore.renew

    async def renewed(self: LaneStore, lane: Any, *, lease_seconds: float) -> bool:
        await renew(self, lane, lease_seconds=lease_seconds)
        return True

    LaneStore.renew = renewed  # type: ignore[method-assign]


def _wait_in_vain_for_the_first_answer() -> None:
    send, sends = SynapseHomeserver.send, count(1)

    async def unheard(self: SynapseHomeserver, *args: Any, **named: Any) -> Any:
        answer = await send(self, *args, **named)
        if next(sends) == 1:
            await asyncio.sleep(_IN_VAIN_SECONDS)
            raise DependencyDown("not answered")
        return answer

    SynapseHomeserver.send = unheard  # type: ignore[method-assign]


MISTAKES: Mapping[str, Callable[[], None]] = {
    "a lost lane is not noticed": _notice_no_lost_lane,
    "sending fails unexpectedly": _fail_to_send,
    "the first answer is waited for in vain": _wait_in_vain_for_the_first_answer,
    "every other send is not answered": _leave_every_other_send_unanswered,
}
"""Each mistake in words, with what makes it."""
