"""Ask a running bridge how it is, as a proxy in front of it would."""

from collections.abc import Mapping

import aiohttp
import msgspec

from bridge.model.health import BridgeFacts

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - where to ask what listens so


_PATIENCE_SECONDS = 3.2
"""A little more than /ready takes to say that something hangs."""


class _Answer(msgspec.Struct, frozen=True):
    status: str
    dependencies: Mapping[str, bool] = {}


async def look_at_bridge(session: aiohttp.ClientSession, host: str, port: int) -> BridgeFacts:
    """Return what ``/ready`` says; nobody listening, or somebody else, is an answer too."""
    address = f"http://{_ANYWHERE.get(host, host)}:{port}"
    if await _ask(session, f"{address}/live") is None:
        return BridgeFacts(address=address, readiness=None, dependencies={})
    ready = await _ask(session, f"{address}/ready") or _Answer(status="unavailable")
    return BridgeFacts(address=address, readiness=ready.status, dependencies=ready.dependencies)


async def _ask(session: aiohttp.ClientSession, url: str) -> _Answer | None:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)) as response:
            return msgspec.json.decode(await response.read(), type=_Answer)
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError):
        return None
