"""The results that are committed say where they come from, and the page of figures says what they say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import BENCHMARKS
from bench.tables import PAGE, RESULTS, with_tables

FILES = sorted(RESULTS.glob("*.json"))
OWN = [file for file in FILES if file.stem in BENCHMARKS]
"""Of ``python -m bench``; a storm of faults leaves its report beside them."""


def names_in(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield name
            yield from names_in(value)


def test_each_benchmark_has_a_result() -> None:
    assert {file.stem for file in OWN} == set(BENCHMARKS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_result_says_of_which_commit_it_is_and_how_it_was_made(file: Path) -> None:
    result = json.loads(file.read_text(encoding="utf-8"))
    assert re.fullmatch(r"[0-9a-f]{40}", result["commit"])
    assert re.match(r"python -m \w+", result["command"])


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.stem)
def test_a_benchmarks_result_has_medians_and_its_command(file: Path) -> None:
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["command"] == f"python -m bench {file.stem}"
    assert any(name.startswith("median") for name in names_in(result)), "medians, not single runs"


def test_the_relays_result_has_its_ratio_by_round() -> None:
    result = json.loads((RESULTS / "relay.json").read_text(encoding="utf-8"))
    assert 0 < result["throughput_ratio"] <= 1.5
    for level in result["throughput_by_rooms"].values():
        assert len(level["ratio_by_round"]) >= 5


def test_the_page_of_figures_says_what_the_results_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page, "run: .venv/bin/python -c 'from bench.tables import write_tables; write_tables()'"
