"""What it costs to send through us: ``POST /v1/events`` beside a raw ``PUT /send`` of Synapse, until ``/sync`` shows.

Both sides send the same content, as the same bot, into the same rooms, from the same process, over connections that are
kept alive, and are seen by the same member's ``/sync``. In a room one request is in flight at a time, on both sides:
order in the room demands it of a raw client too; rooms go side by side. The bridge runs on both sides and takes in what
Synapse sends it of every message, ours or raw. A measurement begins when the bridge has nothing left to do. Sides take
turns, and the first of a round is the second of the next.

What the raw side does not do: keep the message over a crash, know a repeated request, render an event.

- Throughput: messages into 1 room and into 8 at once, from the first request to the last one seen.
- Latency, one at a time: from the request to the message being seen, eight rooms in turn.
- Latency under load: messages fall due at half of the raw throughput, whether earlier ones are through or not, and are
  counted from when they fall due. In a room they wait for each other.
- Acknowledgement: see ``bench/acknowledgement.py``.
"""

import asyncio
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.acknowledgement import measure_acknowledgement
from bench.measure import Side, median, milliseconds, paired_order, percentile, rounded
from bench.results import write_results
from bench.rig import Rig, running_rig
from bench.timeline import Timeline

ROUNDS = 5
ROOMS = 8
MESSAGES = {1: 40, ROOMS: 160}
"""By rooms in use: the messages of a round."""
SINGLE = 32
LOADED = 160


async def main() -> None:
    """Measure, and write the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_rig(Path(folder), rooms=ROOMS) as rig:
            timeline = Timeline(rig.http, rig.stack.synapse.url, rig.as_headers, rig.reader)
            await timeline.begin()
            follower = asyncio.create_task(timeline.follow())
            try:
                figures = await _measure(rig, timeline)
            finally:
                follower.cancel()
                with suppress(asyncio.CancelledError):
                    await follower
    write_results("relay", figures)


async def _measure(rig: Rig, timeline: Timeline) -> dict[str, Any]:
    run = _Run(rig, timeline)
    acknowledgement = await measure_acknowledgement(rig)
    await rig.synapse_at_rest()
    await run.warm_up()
    throughput = {str(rooms): await _throughput(run, rooms) for rooms in MESSAGES}
    alone = await _latency(run.one_at_a_time)
    rate = throughput[str(ROOMS)]["raw_messages_per_second"] / 2
    loaded = await _latency(lambda side: run.under_load(side, rate))
    return {
        "rounds": ROUNDS,
        "medians": {
            "throughput_ratio_by_rooms": {rooms: level["ratio"] for rooms, level in throughput.items()},
            "added_ms_one_at_a_time": {name: alone[name]["added_ms"] for name in ("p50", "p99")},
            "added_ms_under_load": {name: loaded[name]["added_ms"] for name in ("p50", "p99")},
            "acknowledgement_to_bare_insert": acknowledgement["ratio"],
        },
        "throughput_ratio": min(level["ratio"] for level in throughput.values()),
        "throughput_by_rooms": throughput,
        "latency_one_at_a_time": alone,
        "latency_under_load": {"messages_per_second": round(rate, 1), "rooms": ROOMS, **loaded},
        "acknowledgement": acknowledgement,
    }


class _Run:
    """Sends messages and waits until they are seen; what is seen twice or out of order ends the benchmark."""

    def __init__(self, rig: Rig, timeline: Timeline) -> None:
        self._rig, self._timeline = rig, timeline
        self.keys = sorted(rig.rooms)
        self._send: dict[Side, Callable[[str, str], Awaitable[None]]] = {"ours": rig.send_ours, "raw": rig.send_raw}

    async def warm_up(self) -> None:
        """Have connections, caches and plans made on both sides."""
        for side in ("ours", "raw", "ours", "raw"):
            await self.burst(side, self.keys, 4)  # type: ignore[arg-type]

    async def burst(self, side: Side, keys: Sequence[str], each: int) -> float:
        """Send ``each`` messages into each room and return the seconds until the last one was seen."""
        await self._rig.idle()
        marks = {key: _marks(each) for key in keys}
        began = time.perf_counter()
        await asyncio.gather(*(self._send_all(side, key, marks[key]) for key in keys))
        return max(await self._seen(marks)) - began

    async def one_at_a_time(self, side: Side) -> list[float]:
        """Return the seconds of each message, sent when the one before was seen."""
        await self._rig.idle()
        seconds = []
        for number in range(SINGLE):
            key, mark = self.keys[number % len(self.keys)], _marks(1)
            began = time.perf_counter()
            await self._send[side](key, mark[0])
            seconds.append((await self._seen({key: mark}))[0] - began)
        return seconds

    async def under_load(self, side: Side, rate: float) -> list[float]:
        """Return the seconds of each message from when it fell due."""
        await self._rig.idle()
        marks = {key: _marks(LOADED // len(self.keys)) for key in self.keys}
        began = time.perf_counter() + 0.1
        due = {
            mark: began + (row * len(self.keys) + column) / rate
            for column, key in enumerate(self.keys)
            for row, mark in enumerate(marks[key])
        }
        await asyncio.gather(*(self._send_all(side, key, marks[key], due) for key in self.keys))
        await self._seen(marks)
        return [self._timeline.seen_at[mark] - at for mark, at in due.items()]

    async def _send_all(self, side: Side, key: str, marks: Sequence[str], due: dict[str, float] | None = None) -> None:
        for mark in marks:
            if due is not None:
                await asyncio.sleep(max(0.0, due[mark] - time.perf_counter()))
            await self._send[side](key, mark)

    async def _seen(self, marks: dict[str, list[str]]) -> list[float]:
        wanted = [mark for room in marks.values() for mark in room]
        await self._timeline.wait_for(wanted)
        for key, sent in marks.items():
            stands = self._timeline.order[self._rig.rooms[key]][-len(sent) :]
            assert stands == sent, f"{key}: {stands} stands where {sent} was sent"
        return [self._timeline.seen_at[mark] for mark in wanted]


def _marks(count: int) -> list[str]:
    return [f"mark-{uuid.uuid4().hex}" for _ in range(count)]


async def _throughput(run: _Run, rooms: int) -> dict[str, Any]:
    each = MESSAGES[rooms] // rooms
    rates: dict[Side, list[float]] = {"ours": [], "raw": []}
    for _, sides in paired_order(ROUNDS):
        for side in sides:
            rates[side].append(MESSAGES[rooms] / await run.burst(side, sorted(run.keys)[:rooms], each))
    return {
        "requests_in_flight": rooms,
        "messages_a_round": MESSAGES[rooms],
        "ours_messages_per_second": round(median(rates["ours"]), 2),
        "raw_messages_per_second": round(median(rates["raw"]), 2),
        "ratio": round(median([ours / raw for ours, raw in zip(rates["ours"], rates["raw"], strict=True)]), 4),
        "ratio_by_round": rounded([ours / raw for ours, raw in zip(rates["ours"], rates["raw"], strict=True)]),
        "ours_by_round": rounded(rates["ours"], 2),
        "raw_by_round": rounded(rates["raw"], 2),
    }


async def _latency(measure: Callable[[Side], Awaitable[list[float]]]) -> dict[str, Any]:
    seconds: dict[Side, list[list[float]]] = {"ours": [], "raw": []}
    for _, sides in paired_order(ROUNDS):
        for side in sides:
            seconds[side].append(await measure(side))
    return {"messages_a_round": len(seconds["raw"][0])} | {
        name: _compared(seconds, percent) for name, percent in (("p50", 50.0), ("p99", 99.0))
    }


def _compared(seconds: dict[Side, list[list[float]]], percent: float) -> dict[str, Any]:
    """Compare a percentile, round by round; ``added_ms`` is the median of the rounds' differences."""
    ours = [milliseconds(percentile(values, percent)) for values in seconds["ours"]]
    raw = [milliseconds(percentile(values, percent)) for values in seconds["raw"]]
    added = [round(mine - theirs, 2) for mine, theirs in zip(ours, raw, strict=True)]
    return {
        "ours_ms": median(ours),
        "raw_ms": median(raw),
        "added_ms": round(median(added), 2),
        "ours_ms_by_round": ours,
        "raw_ms_by_round": raw,
        "added_ms_by_round": added,
    }
