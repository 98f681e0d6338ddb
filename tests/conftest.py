"""One real stack for the whole run: PostgreSQL, Synapse, the bridge, the model and the host page, as in the demo."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.ports import Ports
from tests.support.backend import Backend

CHECKOUT = Path(__file__).parents[1]


async def demo_command(directory: Path, *arguments: str) -> str:
    """Run ``bitnexus-chat demo`` and return what it prints; it must succeed."""
    return await succeed("bridge", "demo", "--dir", str(directory), *arguments)


async def succeed(module: str, *arguments: str) -> str:
    """Run a Python module of the checkout and return what it prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.fixture(scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Any]]:
    """The running demo's stack.json; ``directory`` is added to it."""
    directory = tmp_path_factory.mktemp("demo")
    await demo_command(directory, "--port-base", str(Ports.free().bridge), "--detach")
    try:
        yield json.loads((directory / "stack.json").read_text()) | {"directory": str(directory)}
    finally:
        await demo_command(directory, "--stop")
        await succeed("bridge.demo.remove", str(directory))


@pytest.fixture(scope="session")
async def backend(demo: dict[str, Any]) -> AsyncIterator[Backend]:
    """The BitNexus backend, attached to the demo."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        yield Backend(http=http, stack=demo)
