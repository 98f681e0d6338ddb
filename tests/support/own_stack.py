"""A stack that a test may break, and the BitNexus backend of it."""

import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from bridge.demo.stack import Stack
from tests.support.backend import Backend


def facts_of(stack: Stack, *, bridge_url: str | None = None) -> Mapping[str, Any]:
    """Return what the backend has to know of a stack; ``bridge_url`` is where it reaches the bridge, if elsewhere."""
    issuer = stack.config.sessions.issuers[0]
    return {
        "bridge_url": bridge_url or stack.bridge.url,
        "platform_key": stack.credentials.platform_key,
        "server_name": stack.config.homeserver.server_name,
        "registration": str(stack.registration_path),
        "demo_issuer": {"iss": issuer.iss, "aud": issuer.aud, "alg": issuer.alg, "secret": issuer.secret},
    }


@asynccontextmanager
async def backend_of(stack: Stack, *, bridge_url: str | None = None) -> AsyncIterator[Backend]:
    """Give the BitNexus backend of a stack."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        yield Backend(http=http, stack=facts_of(stack, bridge_url=bridge_url))


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


@contextmanager
def hanging(*pids: int) -> Iterator[None]:
    """Have processes and their children do nothing while the block runs: they are there, and answer nobody.

    A parent is stopped before its children are looked up: it makes no others then. One that ended meanwhile is left.
    """
    stopped: list[int] = []
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
            for child in children_of(pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGSTOP)
                    stopped.append(child)
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
