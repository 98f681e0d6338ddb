"""Golden cases of reconcile: one JSON file a rule, named after it."""

import re
from pathlib import Path

import pytest

from bridge.policy.stages import stage_of
from tests.unit.policy.case import FOLDER, left_after, left_at_the_end, load, plan, run

CASES = sorted(FOLDER.glob("*.json"))
NAME = re.compile(r"(\d\d)((?:-[a-z0-9]+)+)\.json")

each_case = pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])


@each_case
def test_a_case_leads_to_its_effects(path: Path) -> None:
    case = load(path)
    assert run(case) == [list(effect) for effect in case.effects], case.says


@each_case
def test_a_case_is_over_once_its_effects_are_made(path: Path) -> None:
    case = load(path)
    assert left_after(case) == [list(effect) for effect in case.then]
    assert left_at_the_end(case) == []


@each_case
def test_a_cases_effects_stand_in_the_order_of_their_stages(path: Path) -> None:
    stages = [stage_of(effect) for effect in plan(load(path))]
    assert stages == sorted(stages)


def test_every_file_in_the_folder_is_a_case_and_none_is_missing() -> None:
    names = sorted(path.name for path in FOLDER.iterdir())
    numbers = [int(found[1]) for name in names if (found := NAME.fullmatch(name))]
    assert numbers == list(range(1, len(names) + 1))
    assert len(CASES) == len(names) >= 80


def test_no_two_cases_are_the_same() -> None:
    said = [load(path).says for path in CASES]
    assert len(set(said)) == len(said)
    stripped = [re.sub(r'"says": ".*",', "", path.read_text(encoding="utf-8")) for path in CASES]
    assert len(set(stripped)) == len(stripped)
