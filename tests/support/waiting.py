"""Wait for what a test wants to see: look again until it is there, fail with what was seen last."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], *, seconds: float = 30) -> T:
    """Return the first sight that is as wanted."""
    deadline = time.monotonic() + seconds
    while not wanted(seen := await look()):
        assert time.monotonic() < deadline, f"not seen; last sight: {str(seen)[:2000]}"
        await asyncio.sleep(0.05)
    return seen
