"""Make all checks side by side, each in its time, so that what hangs holds up nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from bridge.config import Config
from bridge.doctor.checks import CHECKS, Check
from bridge.doctor.instruments import ANSWER_SECONDS, Instruments, open_instruments
from bridge.errors import BitnexusError
from bridge.model.health import Finding

WHOLE_SECONDS = 6.0

_REMEDIES: Mapping[str, str] = {
    "postgresql": "Start PostgreSQL, or let 'database.url' and 'database.system_url' say where it is. Until then "
    "nothing is acknowledged; Synapse keeps its events and sends them afterwards.",
    "synapse": "Start Synapse, or let 'homeserver.address' say where it is. Until then messages wait in the outbox.",
}


async def examine(
    config: Config,
    *,
    checks: Sequence[Check] = CHECKS,
    each_seconds: float = ANSWER_SECONDS,
    whole_seconds: float = WHOLE_SECONDS,
) -> list[Finding]:
    """Return what every check found, in their order; none raises, and what is not found in time says so."""
    async with AsyncExitStack() as stack:
        use = await open_instruments(config, stack)
        tasks: dict[str, asyncio.Task[Finding]] = {}
        for check in checks:
            look = _after_others(check, use, dict(tasks), each_seconds)
            tasks[check.name] = asyncio.create_task(look, name=f"check {check.name}")
        _, late = await asyncio.wait(tasks.values(), timeout=whole_seconds)
        for task in late:
            task.cancel()
        if late:
            use.give_up()
        await asyncio.gather(*late, return_exceptions=True)
        return [_late(name) if task.cancelled() else task.result() for name, task in tasks.items()]


async def _after_others(
    check: Check, use: Instruments, others: Mapping[str, "asyncio.Task[Finding]"], seconds: float
) -> Finding:
    await asyncio.gather(*(asyncio.shield(others[name]) for name in (*check.needs, *check.after)))
    missing = sorted({root for name in check.needs for root in _roots(others[name].result())})
    if not missing:
        return await _look(check.name, lambda: check.look(use), seconds)
    return Finding(
        name=check.name,
        status="warning",
        sentence=f"Not looked at: it needs {' and '.join(missing)}.",
        remedy=f"Mend {' and '.join(missing)} first.",
        figures={"needs": missing},
    )


def _roots(finding: Finding) -> list[str]:
    """Return what makes that whatever rests on this finding cannot be looked at."""
    if finding.status == "failing":
        return [finding.name]
    needs = finding.figures.get("needs")
    return [str(name) for name in needs] if isinstance(needs, list) else []


async def _look(name: str, look: Callable[[], Awaitable[Finding]], seconds: float) -> Finding:
    try:
        async with asyncio.timeout(seconds):
            return await look()
    except TimeoutError:
        return _late(name)
    except BitnexusError as error:
        return Finding(name=name, status="failing", sentence=_sentence(error.sentence), remedy=_remedy(name))
    except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others found
        return Finding(
            name=name,
            status="failing",
            sentence=f"This could not be looked at: {type(error).__name__}: {error}",
            remedy="If the checks above are well, this is our mistake: please report it.",
        )


def _late(name: str) -> Finding:
    return Finding(name=name, status="failing", sentence="No answer in time.", remedy=_remedy(name))


def _remedy(name: str) -> str:
    return _REMEDIES.get(name, "Look at PostgreSQL's and Synapse's load and logs, then look again.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
