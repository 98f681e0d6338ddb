"""A minute in which everything breaks: nothing acknowledged is lost, doubled or out of order, and it soon goes on."""

import sys

import pytest

from tests.faults.chaos import LEAST_KILLS, run_chaos
from tests.faults.faults import NET_FAULTS, PART_FAULTS, TRANSACTION_FAULTS
from tests.faults.report import Report

SEED, SECONDS = 3, 60.0


@pytest.fixture(scope="module")
async def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The minute's report; it is shown when something is wrong with it."""
    return await run_chaos(tmp_path_factory.mktemp("chaos") / "stack", seed=SEED, seconds=SECONDS)


@pytest.mark.timeout(480)
def test_nothing_is_lost_doubled_or_misordered_and_nothing_else_appears(report: Report) -> None:
    sys.stdout.write(report.show())
    assert not report.cases, report.show()
    assert set(report.verdict.values()) == {0}


def test_there_was_something_to_lose(report: Report) -> None:
    assert report.kills >= LEAST_KILLS, report.show()
    assert report.acknowledged["relay"] >= 100, report.show()
    assert report.acknowledged["person"] >= 60, report.show()


def test_every_kind_of_fault_came_up(report: Report) -> None:
    wanted = {
        *PART_FAULTS,
        *(f"bridge {kind}" for kind in ("killed", "killed at a point", "frozen", "stopped")),
        *(f"bridge to {part} {kind}" for part in ("Synapse", "PostgreSQL") for kind in NET_FAULTS),
    }
    assert wanted <= report.faults.keys(), report.show()
    assert set(TRANSACTION_FAULTS) <= report.transactions.keys(), report.show()


def test_after_a_kill_what_is_accepted_next_soon_stands_in_its_room(report: Report) -> None:
    assert report.recovery.count >= LEAST_KILLS // 2
    assert report.recovery.p95 < 10, report.show()
