"""How long after each kill things worked again; pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.faults.history import Input

Seen = Mapping[tuple[str, str], float]
"""When a person's client first saw an input in a room, by mark and room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Seconds of many cases; ``count`` is how many there were."""

    count: int
    p50: float
    p95: float
    max: float


def spread_of(seconds: Sequence[float]) -> Spread:
    """Return the median, the 95th percentile (nearest rank) and the maximum."""
    ranked = sorted(seconds) or [0.0]
    at = [ranked[max(0, -(-len(ranked) * percent // 100) - 1)] for percent in (50, 95)]
    return Spread(count=len(seconds), p50=round(at[0], 2), p95=round(at[1], 2), max=round(ranked[-1], 2))


def recoveries(kills: Sequence[float], inputs: Sequence[Input], seen: Seen) -> list[float]:
    """Return for each kill how long it took until the first input acknowledged after it was seen in a room."""
    return _after(kills, _pairs(inputs, seen))


def recoveries_of_rooms(kills: Sequence[float], inputs: Sequence[Input], seen: Seen) -> list[float]:
    """Return for each kill and each room how long until the room's first input acknowledged after it was seen there."""
    rooms: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for given in inputs:
        for room_id in given.room_ids:
            if given.acknowledged_at is not None and (given.mark, room_id) in seen:
                rooms[room_id].append((given.acknowledged_at, seen[given.mark, room_id]))
    return [seconds for pairs in rooms.values() for seconds in _after(kills, sorted(pairs))]


def _pairs(inputs: Sequence[Input], seen: Seen) -> list[tuple[float, float]]:
    return sorted(
        (given.acknowledged_at, max(times))
        for given in inputs
        if given.acknowledged_at is not None
        and len(times := [seen[given.mark, room] for room in given.room_ids if (given.mark, room) in seen])
        == len(given.room_ids)
    )


def _after(kills: Sequence[float], pairs: Sequence[tuple[float, float]]) -> list[float]:
    accepted = [pair[0] for pair in pairs]
    found = ((kill, bisect_right(accepted, kill)) for kill in kills)
    return [pairs[index][1] - kill for kill, index in found if index < len(pairs)]
