"""The fail-closed frame: every decision passes here, is counted, and a failure of ours is a refusal."""

import logging
from collections.abc import Awaitable
from typing import Final

from prometheus_client import Counter

from bitnexus_synapse_module.decision import Decision, Refusal

logger = logging.getLogger(__name__)

DECISIONS: Final = Counter(
    "bitnexus_module_decisions",
    "Decisions of the BitNexus module, by callback, outcome and reason code.",
    ["callback", "decision", "reason"],
)


async def pass_gate(callback: str, decision: Awaitable[Decision]) -> Decision:
    """Give the decision, counted; whatever goes wrong on the way to it is logged with its stack and refused.

    Synapse does not do this for us: an exception in some callbacks is an error 500, in others it is logged and counts
    as permission.
    """
    try:
        outcome = await decision
        count(callback, outcome)
    except Exception:  # this is the frame that has to hold, whatever was forgotten inside
        logger.exception("The BitNexus module failed in %s and refused", callback)
        DECISIONS.labels(callback, "deny", Refusal.MODULE_FAILED.value).inc()
        return Decision(Refusal.MODULE_FAILED)
    return outcome


def count(callback: str, decision: Decision) -> None:
    """Count a decision."""
    DECISIONS.labels(callback, "allow" if decision.allowed else "deny", decision.reason.value).inc()
