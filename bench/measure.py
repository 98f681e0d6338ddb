"""What is done with measurements: the order of paired rounds, percentiles, ratios of medians. No IO, no clock."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Literal

Side = Literal["ours", "raw"]


def paired_order(rounds: int) -> Iterator[tuple[int, tuple[Side, Side]]]:
    """Yield each round with its two sides; who comes first changes from round to round.

    What drifts while a benchmark runs (tables grow, caches warm up, a neighbour wakes) then meets both sides alike.
    """
    for number in range(rounds):
        yield number, ("ours", "raw") if number % 2 == 0 else ("raw", "ours")


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of ``values`` that at least ``percent`` of them do not exceed (nearest rank)."""
    if not values or not 0 < percent <= 100:  # noqa: PLR2004 - a hundred percent
        raise ValueError("a percentile needs values, and a percent from above 0 to 100")
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def rounded(values: Sequence[float], digits: int = 4) -> list[float]:
    """Return the values as they are written down."""
    return [round(value, digits) for value in values]


def milliseconds(seconds: float) -> float:
    """Return seconds as milliseconds, to the hundredth."""
    return round(seconds * 1000, 2)
