"""See an alliance's change through: until Matrix stands so, or for as long as somebody may be kept waiting."""

import asyncio
from dataclasses import dataclass

from bridge.actions.settle_alliance import SettleAlliance
from bridge.actions.show_alliance import room_id_of
from bridge.model.alliance import Alliance, AllianceChange
from bridge.model.ids import JobID
from bridge.policy.alliances import is_in_force
from bridge.ports import Clock, Database

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchAlliance:
    """Settle an alliance and wait for its room.

    The owner's reconciles come one after another, and what takes away is the first thing in each. So once the job that
    was asked for after the change has dealt with the room, nothing that was planned before the change is still to come.
    """

    database: Database
    settle: SettleAlliance
    clock: Clock
    wait_seconds: float

    async def __call__(self, alliance: Alliance, *, asks: bool) -> AllianceChange:
        """Return the change, and whether it is in force; ``asks`` says that it takes away: a job is waited for."""
        # of one that was never accepted nothing stands in Matrix
        was_open = alliance.accepted_at is not None
        settled = await self.settle(alliance.alliance_id, asks=asks and was_open)
        in_force = not was_open or settled.job_id is None or await self._wait(alliance, settled.job_id)
        return AllianceChange(
            alliance=alliance,
            room_id=await room_id_of(self.database, alliance),
            job_id=settled.job_id,
            in_force=in_force,
        )

    async def _wait(self, alliance: Alliance, job_id: JobID) -> bool:
        deadline = self.clock.monotonic() + self.wait_seconds
        while True:
            async with self.database.work(alliance.owner_tenant_id) as work:
                job = await work.jobs.find(job_id)
            verdict = None if job is None else is_in_force(job, alliance)
            if verdict is not None:
                return verdict
            if self.clock.monotonic() >= deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
