"""The control runs: without a safeguard the checker finds what comes of it; with it, under the same fault, nothing."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.controls import CONTROLS, Control
from tests.faults.safeguards import SAFEGUARDS
from tests.faults.stage import Stage, running_stage

_TRIES = 3
"""Most faults are planted and sure; a few are a matter of milliseconds."""


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with running_stage(tmp_path_factory.mktemp("safeguards") / "stack") as running:
        yield running


def test_every_safeguard_has_a_control() -> None:
    assert {control.safeguard for control in CONTROLS} == SAFEGUARDS.keys()


@pytest.mark.timeout(360)  # the first one waits for the stack and its rooms
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.safeguard.replace(" ", "-"))
async def test_the_checker_catches_its_absence_and_finds_nothing_with_it(stage: Stage, control: Control) -> None:
    run = await stage.new_run(off=control.beside)
    await control.scenario(run)
    verdict = await run.judge(bad=None)
    assert verdict.is_clean, verdict.faults
    for _ in range(_TRIES):
        run = await stage.new_run(off=(control.safeguard, *control.beside), after=run)
        await control.scenario(run)
        verdict = await run.judge(bad=control.comes_of_it)
        if control.comes_of_it in verdict.faults:
            return
    pytest.fail(f"without it, the checker found only {verdict.faults}")
