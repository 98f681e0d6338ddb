"""One real n8n for all tests of this folder, with the example workflow in the shapes that the tests need."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.n8n.lossy import LossyProxy, lossy_proxy
from tests.n8n.member import tenant
from tests.n8n.rig import N8n, running_n8n

EXAMPLE = Path(__file__).parent / "workflows" / "course-completed.json"
Json = dict[str, Any]


def variant(path: str, *, url: str, credential: str) -> Json:
    """Return the example workflow under another webhook path, pointed at ``url`` and using another credential."""
    workflow: Json = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    trigger, request = workflow["nodes"]
    workflow["id"] = workflow["name"] = path
    trigger["parameters"]["path"] = trigger["webhookId"] = path
    request["parameters"]["url"] = f"{url}/v1/events"
    request["credentials"]["httpBearerAuth"] = {"id": credential, "name": credential}
    return workflow


def credential(name: str, token: str) -> Json:
    """Return a Bearer Auth credential as n8n imports it, kept to the bridge's address as the guide advises."""
    data = {"token": token, "allowedHttpRequestDomains": "domains", "allowedDomains": "127.0.0.1"}
    return {"id": name, "name": name, "type": "httpBearerAuth", "data": data}


@pytest_asyncio.fixture(scope="session")
async def proxy(demo: Json) -> AsyncIterator[LossyProxy]:
    """Give a way to the bridge that loses the first answer to every event."""
    async with lossy_proxy(demo["bridge_url"]) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def n8n(demo: Json, proxy: LossyProxy, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[N8n]:
    """Give a running n8n of tenant acme with its workflows active."""
    bridge = demo["bridge_url"]
    workflows = [
        variant("direct", url=bridge, credential="acme-key"),
        variant("lossy", url=proxy.url, credential="acme-key"),
        variant("unknown-key", url=bridge, credential="unknown-key"),
    ]
    credentials = [
        credential("acme-key", tenant(demo, "acme")["integration_key"]),
        credential("unknown-key", "bxi_" + "0" * 43),
    ]
    folder = tmp_path_factory.mktemp("n8n")
    async with running_n8n(folder, credentials=credentials, workflows=workflows) as running:
        for workflow in workflows:
            await running.activate(workflow["id"], workflow["id"])
        yield running
