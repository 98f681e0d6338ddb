"""Ask a part over HTTP whether it is ready."""

from collections.abc import Awaitable, Callable

import aiohttp

_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=3)


def answers_ok(url: str) -> Callable[[], Awaitable[bool]]:
    """Return a probe that says whether ``url`` answers 200 now."""

    async def probe() -> bool:
        try:
            async with aiohttp.ClientSession(timeout=_PROBE_TIMEOUT) as session, session.get(url) as response:
                return response.status == 200  # noqa: PLR2004 - HTTP's own number
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    return probe
