"""What ``--repair`` does: compare with the homeserver now, and count lanes anew."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bridge.actions.repair_gaps import RepairGaps
from bridge.config import Config
from bridge.db.gaps import GapStore
from bridge.db.health import recount
from bridge.doctor.instruments import Instruments, open_instruments
from bridge.errors import BitnexusError

_COMPARE_SECONDS = 600.0

Tell = Callable[[str], None]
"""Shows how far the repair is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What one repair did; ``error`` says why it could not."""

    name: str
    sentence: str
    mended: int = 0
    error: str | None = None


async def repair(config: Config, tell: Tell) -> list[Repair]:
    """Repair what can be; what cannot says why, and holds up nothing else."""
    async with AsyncExitStack() as stack:
        use = await open_instruments(config, stack)
        try:
            await use.open_database()
        except BitnexusError as error:
            return [Repair(name=name, sentence="Not repaired.", error=error.sentence) for name in ("counters", "gaps")]
        return [await _recount(use, tell), await _compare(use, tell)]


async def _recount(use: Instruments, tell: Tell) -> Repair:
    tell("Counting lanes")
    mended = 0
    try:
        lanes = await use.database.store.drifted_lanes()
        for number, lane in enumerate(lanes, start=1):
            tell(f"Counting lanes: {number} of {len(lanes)}")
            mended += await recount(use.database.app, lane)
    except BitnexusError as error:
        return Repair(name="counters", sentence="Lanes are not counted anew.", mended=mended, error=error.sentence)
    sentence = f"{mended} counters were wrong and are set right." if mended else "Every lane's counter was right."
    return Repair(name="counters", sentence=sentence, mended=mended)


async def _compare(use: Instruments, tell: Tell) -> Repair:
    compare = RepairGaps(stream=use.stream, gaps=GapStore(use.database.app))
    tell("Comparing with Synapse")
    events = receipts = 0
    try:
        async with asyncio.timeout(_COMPARE_SECONDS):
            while True:
                found = await compare("demand")
                events, receipts = events + found.events, receipts + found.receipts
                tell(f"Comparing with Synapse: {events} events and {receipts} receipts had not come")
                if found.is_whole:
                    break
    except TimeoutError:
        error = f"not done after {_COMPARE_SECONDS:.0f} seconds; run it again, it goes on where it stopped"
        return Repair(name="gaps", sentence="Not compared to the end.", mended=events + receipts, error=error)
    except BitnexusError as error:
        return Repair(name="gaps", sentence="Not compared to the end.", mended=events + receipts, error=error.sentence)
    sentence = (
        f"{events} events and {receipts} receipts had not come, and are taken in."
        if events or receipts
        else "Nothing was missing."
    )
    return Repair(name="gaps", sentence=sentence, mended=events + receipts)
