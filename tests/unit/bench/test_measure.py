"""The arithmetic of the benchmarks: percentiles, the order of paired rounds, what counts as lost and doubled."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import median, milliseconds, paired_order, percentile, rounded
from bench.neighbours import count_found
from bench.streams import Stream


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 10), (20, 10), (20.1, 20), (50, 30), (80, 40), (99, 50), (100, 50)]
)
def test_a_percentile_is_the_nearest_rank(percent: float, expected: int) -> None:
    assert percentile([50, 10, 40, 20, 30], percent) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    wanted = percent / 100 * len(values) - 1e-9
    assert sum(value <= found for value in values) >= wanted
    assert all(sum(value <= other for value in values) < wanted for other in values if other < found)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_a_percentile_of_nothing_is_refused(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, percent)


@pytest.mark.parametrize("rounds", [5, 6])
def test_both_sides_are_measured_in_each_round_and_take_turns_at_being_first(rounds: int) -> None:
    order = list(paired_order(rounds))
    assert [number for number, _ in order] == list(range(rounds))
    assert all(set(sides) == {"ours", "raw"} for _, sides in order)
    firsts = [sides[0] for _, sides in order]
    assert all(one != then for one, then in pairwise(firsts))


def test_figures_are_written_in_milliseconds_and_rounded() -> None:
    assert median([3, 1, 2, 10]) == 2.5
    assert milliseconds(0.0123456) == 12.35
    assert rounded([1.23456, 2], 2) == [1.23, 2]


def stream_of(*marks: str, acknowledged: int) -> Stream:
    async def attempt(_mark: str) -> int:
        raise AssertionError("nothing is sent")

    return Stream(
        attempt=attempt,
        sent={mark: place for place, mark in enumerate(marks)},
        acknowledged=list(marks[:acknowledged]),
        tries=9,
    )


def test_what_was_acknowledged_and_is_not_found_is_lost() -> None:
    counts = count_found([stream_of("a", "b", "c", acknowledged=2)], ["b", "of another round"])
    assert counts == {"acknowledged": 2, "lost": 1, "doubled": 0, "out_of_order": 0, "tries": 9}


def test_what_is_found_again_is_doubled_and_what_was_overtaken_is_out_of_order() -> None:
    counts = count_found([stream_of("a", "b", "c", "d", acknowledged=4)], ["a", "c", "b", "a", "d", "d", "d"])
    assert (counts["lost"], counts["doubled"], counts["out_of_order"]) == (0, 2, 1)


def test_streams_side_by_side_are_each_in_their_own_order() -> None:
    streams = [stream_of("a", "b", acknowledged=2), stream_of("x", "y", acknowledged=2)]
    counts = count_found(streams, ["x", "a", "y", "y"])
    assert counts == {"acknowledged": 4, "lost": 1, "doubled": 1, "out_of_order": 0, "tries": 18}
