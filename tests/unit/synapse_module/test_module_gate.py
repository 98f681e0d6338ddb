"""The frame around every decision: it counts, and what fails is refused."""

import logging
from collections.abc import Awaitable

import bitnexus_synapse_module
import pytest
from bitnexus_synapse_module.decision import Decision, Grant, Refusal
from bitnexus_synapse_module.gate import DECISIONS, pass_gate
from prometheus_client import REGISTRY


async def decided(decision: Decision) -> Decision:
    return decision


async def failing(error: Exception) -> Decision:
    raise error


def count(callback: str, decision: str, reason: str) -> float:
    labels = {"callback": callback, "decision": decision, "reason": reason}
    return REGISTRY.get_sample_value("bitnexus_module_decisions_total", labels) or 0.0


@pytest.mark.parametrize(("decision", "word"), [(Decision(Grant.BY_US), "allow"), (Decision(Refusal.KNOCK), "deny")])
async def test_a_decision_passes_and_is_counted(decision: Decision, word: str) -> None:
    before = count("test_pass", word, decision.reason.value)
    assert await pass_gate("test_pass", decided(decision)) == decision
    assert count("test_pass", word, decision.reason.value) == before + 1


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyError("x"), RecursionError(), TimeoutError(), OSError()])
async def test_a_failure_is_a_refusal_with_its_stack_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    before = count("test_fail", "deny", "module_failed")
    with caplog.at_level(logging.ERROR):
        decision = await pass_gate("test_fail", failing(error))
    assert decision == Decision(Refusal.MODULE_FAILED)
    assert count("test_fail", "deny", "module_failed") == before + 1
    assert "refused" in caplog.text
    assert "Traceback" in caplog.text


async def test_what_is_no_decision_at_all_is_a_refusal() -> None:
    for nothing in (None, True, "NOT_SPAM"):
        answer: Awaitable[Decision] = decided(nothing)  # type: ignore[arg-type]
        assert await pass_gate("test_nothing", answer) == Decision(Refusal.MODULE_FAILED)


def test_labels_can_hold_no_ids() -> None:
    assert DECISIONS._labelnames == ("callback", "decision", "reason")


def test_the_package_names_only_what_it_has() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        bitnexus_synapse_module.Nothing  # noqa: B018  (the access is the test)
