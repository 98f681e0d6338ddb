"""A tenant of 20 rooms and 200 members on a real Synapse: the requests it takes, and those of asking for it again.

The measure is a count, not a time: the writes that we make against the fewest that anybody could do with. Seconds stand
beside it for a feeling of the size; they are the machine's more than ours.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bench.results import write_results
from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack

ROOMS = 20
MEMBERS = 200
AGAIN = 5
_TENANT = "bench"


async def main() -> None:
    """Build the tenant, ask for it again, and write the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with _bridge(Path(folder)) as (stack, http):
            built = await _build(stack, http)
            again = [await _again(stack, http) for _ in range(AGAIN)]
            added = await _add_one(stack, http)
    write_results(
        "reconcile",
        {
            "rooms": ROOMS,
            "members": MEMBERS,
            "first": built,
            "second_put": {
                "matrix_requests": max(calls for _, calls in again),
                "rounds": AGAIN,
                "median_seconds": round(statistics.median(seconds for seconds, _ in again), 4),
            },
            "one_more_member": added,
        },
    )


@asynccontextmanager
async def _bridge(folder: Path) -> AsyncIterator[tuple[Stack, aiohttp.ClientSession]]:
    async with running_stack(folder, ports=Ports.free(), with_model=False) as stack:
        headers = {"Authorization": f"Bearer {stack.credentials.platform_key}"}
        async with aiohttp.ClientSession(stack.bridge.url, headers=headers) as http:
            yield stack, http


def _tenant() -> dict[str, object]:
    rooms = [{"key": f"room{n}", "type": "general", "name": f"Room {n}"} for n in range(ROOMS)]
    return {"name": "Benchmark", "rooms": rooms}


async def _put(http: aiohttp.ClientSession, path: str, body: object) -> dict[str, Any]:
    async with http.put(path, json=body) as response:
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer


async def _settle(http: aiohttp.ClientSession) -> None:
    """Wait until the plan is empty: every job of this tenant is over by then."""
    while True:
        async with http.get(f"/v1/tenants/{_TENANT}/plan") as response:
            if not (await response.json())["effects"]:
                return
        await asyncio.sleep(1)


async def _requests(stack: Stack) -> dict[str, int]:
    """Return the bridge's requests to Synapse so far, by act."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{stack.ports.metrics}/metrics") as response:
        text = await response.text()
    counts: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "bitnexus_matrix_requests_total" and sample.labels["act"] != "versions":
                act = sample.labels["act"]
                counts[act] = counts.get(act, 0) + int(sample.value)
    return counts


async def _build(stack: Stack, http: aiohttp.ClientSession) -> dict[str, object]:
    before, began = await _requests(stack), time.perf_counter()
    await _put(http, f"/v1/tenants/{_TENANT}", _tenant())
    for number in range(MEMBERS):
        body = {"role": "owner" if number == 0 else "member", "display_name": f"Member {number}"}
        await _put(http, f"/v1/tenants/{_TENANT}/members/m{number}", body)
    asked = time.perf_counter() - began
    await _settle(http)
    seconds = time.perf_counter() - began
    after = await _requests(stack)
    made = {act: count - before.get(act, 0) for act, count in sorted(after.items()) if count != before.get(act, 0)}
    writes = sum(count for act, count in made.items() if act != "room_state")
    return {
        "seconds_until_all_puts_were_answered": round(asked, 1),
        "seconds_until_all_stands": round(seconds, 1),
        "matrix_requests": made,
        "writes": writes,
        "fewest_possible_writes": _fewest(),
        "writes_to_fewest": round(writes / _fewest(), 4),
    }


def _fewest() -> int:
    """Return the writes that nobody can do without.

    A registration, a name, an invitation to the space and a join of it for each member, a join of each room; a creation
    and the keeper's join for each room and the space, the relay's join and the link in the space for each room.
    """
    return MEMBERS * (4 + ROOMS) + 2 * (ROOMS + 1) + 2 * ROOMS


async def _again(stack: Stack, http: aiohttp.ClientSession) -> tuple[float, int]:
    before, began = await _requests(stack), time.perf_counter()
    answer = await _put(http, f"/v1/tenants/{_TENANT}", _tenant())
    seconds = time.perf_counter() - began
    if answer["job_id"] is not None:
        raise RuntimeError(f"the second PUT found something to do: {answer}")
    return seconds, sum((await _requests(stack)).values()) - sum(before.values())


async def _add_one(stack: Stack, http: aiohttp.ClientSession) -> dict[str, object]:
    before, began = await _requests(stack), time.perf_counter()
    await _put(http, f"/v1/tenants/{_TENANT}/members/late", {"role": "member", "display_name": "Late"})
    await _settle(http)
    seconds = time.perf_counter() - began
    after = await _requests(stack)
    made = {act: count - before.get(act, 0) for act, count in sorted(after.items()) if count != before.get(act, 0)}
    return {"seconds": round(seconds, 2), "matrix_requests": made}
