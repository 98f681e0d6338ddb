"""A stop in good order: asked for once it drains, asked for twice it does not wait."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field

import structlog

from bridge.telemetry import DRAINING

_log = structlog.stdlib.get_logger("bridge.draining")

LET_GO_SECONDS = 3.0
"""How long what was cut off may take to let go of its lane; after that its lease ends by itself."""


@dataclass(slots=True)
class Stop:
    """Whether this process was told to stop, and whether it was told again."""

    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _hurried: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_draining(self) -> bool:
        """Whether the stop has begun: from then on ``/ready`` says so, and nothing new is claimed."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Begin the stop; the second time, end the waiting."""
        if self.is_draining:
            self._hurried.set()
        self.begin()

    def begin(self) -> None:
        """Begin the stop, for whatever reason; a stop that has begun goes on."""
        self._asked.set()
        DRAINING.set(1)

    async def wait(self) -> None:
        """Wait until the stop was asked for."""
        await self._asked.wait()

    async def hurried(self) -> None:
        """Wait until it was asked for again."""
        await self._hurried.wait()


async def drain(
    stop: Stop,
    stop_work: Callable[[float], Coroutine[None, None, None]],
    *,
    abandon: Callable[[], None],
    drain_seconds: float,
    leave_seconds: float,
    let_go_seconds: float = LET_GO_SECONDS,
) -> None:
    """Let work in hand come to its end, and the proxy in front notice, side by side.

    ``stop_work`` claims no more at once and cuts off what still runs after the seconds that it is given. Returns within
    ``drain_seconds`` and twice ``let_go_seconds`` whatever hangs; once the stop is asked for again, as soon as work
    lets go. ``abandon`` cuts the connections that hold up what does not even let go.
    """
    work = asyncio.create_task(stop_work(drain_seconds), name="end work in hand")
    calm = asyncio.create_task(_both(work, leave_seconds), name="drain")
    hurried = asyncio.create_task(stop.hurried(), name="hear of a second stop")
    longest = max(drain_seconds + let_go_seconds, leave_seconds)
    await asyncio.wait({calm, hurried}, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
    if hurried.done() and not work.done():
        _log.warning("asked to stop again: what is under way is cut off")
        cut = asyncio.create_task(stop_work(0.0), name="cut off work in hand")
        await asyncio.wait({cut, work}, timeout=let_go_seconds)
    if not work.done():
        _log.warning("work in hand did not let go; its leases will end")
        abandon()
    await cancel({work, calm, hurried}, seconds=let_go_seconds)


async def cancel(tasks: Collection["asyncio.Task[None]"], *, seconds: float = LET_GO_SECONDS) -> None:
    """Cancel tasks and wait for their end, but not for ever; what they failed with is logged."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        failure = task.exception() if task.done() and not task.cancelled() else None
        if failure is not None:
            _log.error("failed at the stop", task=task.get_name(), exc_info=failure)


async def _both(work: "asyncio.Task[None]", leave_seconds: float) -> None:
    await asyncio.sleep(leave_seconds)
    await asyncio.wait({work})
