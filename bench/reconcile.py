"""Tenancy: the requests it takes, what nothing-to-do costs, and how both grow; on a counting homeserver and on Synapse.

The first measure is a count, not a time: the requests that we make against the fewest that anybody could do with.
Seconds stand beside it for a feeling of the size; they are the machine's more than ours.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bench.plot import write_panels
from bench.reconcile_fake import measure_growth, measure_many
from bench.results import RESULTS, write_results
from bench.tenants import Size
from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack

MANY, LARGE = 1000, Size(rooms=10, members=20)
COUNTS, SMALL = (100, 1_000, 10_000), Size(rooms=3, members=5)
ON_SYNAPSE, REAL = 20, Size(rooms=3, members=12)


async def main() -> None:
    """Measure, write the figures, and draw the growth."""
    with tempfile.TemporaryDirectory() as folder:
        many = await measure_many(Path(folder) / "many", MANY, LARGE)
        growth = await measure_growth(Path(folder) / "growth", COUNTS, SMALL)
        real = await _measure_synapse(Path(folder) / "synapse")
    per_tenant = (_number(growth[-1], "bridge_rss_kb") - _number(growth[0], "bridge_rss_kb")) / (COUNTS[-1] - COUNTS[0])
    write_results(
        "reconcile",
        {
            "counting_homeserver": many,
            "synapse": real,
            "growth": {
                "rooms": SMALL.rooms,
                "members": SMALL.members,
                "idle_kb_per_tenant": round(per_tenant, 3),
                "at": growth,
            },
        },
    )
    panels = {
        "a look at all tenants, nothing to do (ms)": "look_at_all_ms",
        "one person more in one tenant, until it stands (ms)": "one_change_ms",
        "memory of an idle bridge (MB)": "bridge_rss_kb",
    }
    write_panels(
        RESULTS / "reconcile-growth.svg",
        f"Growth with the number of tenants ({SMALL.rooms} rooms and {SMALL.members} members each)",
        "tenants",
        {
            name: [(_number(at, "tenants"), _number(at, key) / (1024 if key.endswith("kb") else 1)) for at in growth]
            for name, key in panels.items()
        },
    )


def _number(figures: dict[str, object], name: str) -> float:
    found = figures[name]
    assert isinstance(found, int | float)
    return round(found, 1)


async def _measure_synapse(folder: Path) -> dict[str, object]:
    """Make tenants on a real Synapse, and ask for the same again."""
    async with running_stack(folder, ports=Ports.free(), with_model=False) as stack:
        headers = {"Authorization": f"Bearer {stack.credentials.platform_key}"}
        async with aiohttp.ClientSession(stack.bridge.url, headers=headers) as http:
            before, began = await _requests(stack), time.perf_counter()
            await asyncio.gather(*(_make(http, number) for number in range(ON_SYNAPSE)))
            await _settle(http)
            seconds = time.perf_counter() - began
            made = _difference(before, await _requests(stack))
            again = [await _again(stack, http) for _ in range(5)]
    total, fewest = sum(made.values()), ON_SYNAPSE * REAL.fewest_calls
    return {
        "tenants": ON_SYNAPSE,
        "rooms": REAL.rooms,
        "members": REAL.members,
        "seconds": round(seconds, 1),
        "calls": made,
        "calls_in_all": total,
        "fewest_calls": fewest,
        "calls_to_fewest": round(total / fewest, 4),
        "all_again": {
            "calls": max(calls for _, calls in again),
            "median_seconds": round(statistics.median(taken for taken, _ in again), 3),
        },
    }


async def _make(http: aiohttp.ClientSession, number: int) -> list[object]:
    """Ask for a tenant and its whole list of members; return the jobs that it led to."""
    path = f"/v1/tenants/real{number}"
    rooms = [{"key": f"room{n}", "type": "general", "name": f"Room {n}"} for n in range(REAL.rooms)]
    members = [
        {"user_id": f"m{number}-{n}", "role": "owner" if n == 0 else "member", "display_name": f"Member {n}"}
        for n in range(REAL.members)
    ]
    first = await _put(http, path, {"name": f"Tenant {number}", "rooms": rooms})
    second = await _put(http, f"{path}/members", {"members": members})
    return [first["job_id"], second["job_id"]]


async def _put(http: aiohttp.ClientSession, path: str, body: object) -> dict[str, Any]:
    async with http.put(path, json=body) as response:
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer


async def _settle(http: aiohttp.ClientSession) -> None:
    """Wait until every plan is empty: every job is over by then."""
    for number in range(ON_SYNAPSE):
        while True:
            async with http.get(f"/v1/tenants/real{number}/plan") as response:
                if not (await response.json())["effects"]:
                    break
            await asyncio.sleep(0.5)


async def _again(stack: Stack, http: aiohttp.ClientSession) -> tuple[float, int]:
    """Ask for all of it again; nothing may come of it."""
    before, began = await _requests(stack), time.perf_counter()
    jobs = [job for answers in [await _make(http, n) for n in range(ON_SYNAPSE)] for job in answers]
    seconds = time.perf_counter() - began
    if any(job is not None for job in jobs):
        raise RuntimeError("the same again found something to do")
    return seconds, sum(_difference(before, await _requests(stack)).values())


async def _requests(stack: Stack) -> dict[str, int]:
    """Return the requests for tenants that the bridge has made to Synapse so far, by act."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{stack.ports.metrics}/metrics") as response:
        text = await response.text()
    counts: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "bitnexus_matrix_requests_total" and sample.labels["act"] in _ACTS:
                act = sample.labels["act"]
                counts[act] = counts.get(act, 0) + int(sample.value)
    return counts


def _difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {act: count - before.get(act, 0) for act, count in sorted(after.items()) if count != before.get(act, 0)}


_ACTS = frozenset(
    {
        "register", "set_display_name", "set_avatar", "create_room", "joined_rooms", "room_create_event", "set_state",
        "invite", "join", "kick", "room_state",
    }
)  # fmt: skip
