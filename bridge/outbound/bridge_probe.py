"""Ask a running bridge how it is, as a proxy in front of it would."""

from collections.abc import Mapping

import aiohttp
import msgspec

from bridge.model.health import BridgeFacts

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - where to ask what listens so


class _Ready(msgspec.Struct, frozen=True):
    status: str
    dependencies: Mapping[str, bool] = {}


async def look_at_bridge(session: aiohttp.ClientSession, host: str, port: int) -> BridgeFacts:
    """Return what ``/ready`` says; nobody listening, or somebody else, is an answer too."""
    address = f"http://{_ANYWHERE.get(host, host)}:{port}"
    ready: _Ready | None = None
    try:
        async with session.get(f"{address}/ready") as response:
            ready = msgspec.json.decode(await response.read(), type=_Ready)
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError):
        pass
    return BridgeFacts(
        address=address,
        readiness=ready.status if ready else None,
        dependencies=ready.dependencies if ready else {},
        processes=None,
    )
