"""Checks run side by side, each after what it needs; what fails, breaks or hangs in one holds up no other."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bridge.config import Config
from bridge.demo.credentials import Credentials
from bridge.demo.ports import Ports
from bridge.demo.settings import write_config
from bridge.doctor.checks import CHECKS, Check
from bridge.doctor.examine import examine
from bridge.doctor.instruments import Instruments
from bridge.errors import ConfigError, DependencyDown
from bridge.model.health import Finding, Status

Look = Callable[[Instruments], Awaitable[Finding]]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    ports = Ports.of(list(range(30000, 30007)))
    return write_config(tmp_path / "config.yaml", ports=ports, credentials=Credentials(), with_model=False)


def finds(status: Status) -> Look:
    async def look(_use: Instruments) -> Finding:
        return Finding(name="x", status=status, sentence=f"It is {status}.")

    return look


def raises(error: Exception) -> Look:
    async def look(_use: Instruments) -> Finding:
        raise error

    return look


async def hangs(_use: Instruments) -> Finding:
    await asyncio.Event().wait()
    raise AssertionError


def check(name: str, look: Look, *needs: str, after: tuple[str, ...] = ()) -> Check:
    return Check(name=name, look=look, needs=needs, after=after)


async def test_findings_stand_in_the_order_of_the_checks(config: Config) -> None:
    found = await examine(config, checks=[check("a", finds("ok")), check("b", finds("warning"))])
    assert [finding.status for finding in found] == ["ok", "warning"]


async def test_what_rests_on_something_that_fails_names_the_root_and_is_not_looked_at(config: Config) -> None:
    checks = [
        check("a", raises(DependencyDown("nobody answers"))),
        check("b", raises(AssertionError("never asked")), "a"),
        check("c", raises(AssertionError("never asked")), "b"),
        check("d", finds("ok"), after=("a",)),
    ]
    a, b, c, d = await examine(config, checks=checks)
    assert (a.status, a.sentence) == ("failing", "Nobody answers.")
    assert (b.status, b.sentence) == (c.status, c.sentence) == ("warning", "Not looked at: it needs a.")
    assert (b.remedy, d.status) == ("Mend a first.", "ok")


async def test_a_warning_holds_up_nothing_that_rests_on_it(config: Config) -> None:
    _, b = await examine(config, checks=[check("a", finds("warning")), check("b", finds("ok"), "a")])
    assert b.status == "ok"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DependencyDown("PostgreSQL does not answer: refused"), "PostgreSQL does not answer: refused."),
        (ConfigError("PostgreSQL refuses us"), "PostgreSQL refuses us."),
        (KeyError("positions"), "This could not be looked at: KeyError: 'positions'"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_error_becomes_a_sentence_with_a_remedy(config: Config, error: Exception, words: str) -> None:
    (found,) = await examine(config, checks=[check("postgresql", raises(error))])
    assert (found.name, found.status, found.sentence) == ("postgresql", "failing", words)
    assert found.remedy


async def test_what_hangs_is_told_in_time(config: Config) -> None:
    began = time.monotonic()
    checks = [check("a", hangs), check("b", hangs, after=("a",)), check("c", finds("ok"))]
    found = await examine(config, checks=checks, each_seconds=0.2, whole_seconds=0.3)
    assert time.monotonic() - began < 2
    assert [finding.status for finding in found] == ["failing", "failing", "ok"]
    assert found[0].sentence == found[1].sentence == "No answer in time."


def test_every_check_comes_after_what_it_needs() -> None:
    names = [each.name for each in CHECKS]
    assert len(set(names)) == len(names)
    for number, each in enumerate(CHECKS):
        assert set(each.needs) | set(each.after) <= set(names[:number]), each.name
