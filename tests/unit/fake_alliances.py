"""Alliances in memory, seen by their two sides alone, as the port wants them."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from bridge.model.alliance import ALLIANCES_PREFIX, Alliance, AllianceState, AllianceStep, AllianceTask, Step
from bridge.model.ids import AllianceID, MemberID, TenantID
from bridge.model.job import Lane
from tests.unit.fake_stores import Store


class FakeAlliances(Store):
    async def find(self, alliance_id: AllianceID) -> Alliance | None:
        alliance = self._memory.alliances.get(alliance_id)
        return alliance if alliance and self._tenant_id in alliance.sides else None

    async def hold(self, alliance_id: AllianceID) -> Alliance | None:
        return await self.find(alliance_id)

    async def list_after(self, alliance_id: AllianceID | None, *, limit: int) -> Sequence[Alliance]:
        mine = [found for _, found in sorted(self._memory.alliances.items()) if self._tenant_id in found.sides]
        return [found for found in mine if found.alliance_id > (alliance_id or "")][:limit]

    async def open_ids(self) -> Sequence[AllianceID]:
        mine = await self.list_after(None, limit=1000)
        return [found.alliance_id for found in mine if found.state is not AllianceState.ENDED]

    async def add(self, alliance: Alliance) -> bool:
        assert alliance.owner_tenant_id == self._tenant_id
        if alliance.alliance_id in self._memory.alliances:
            return False
        self._memory.alliances[alliance.alliance_id] = replace(alliance, members={})
        return True

    async def save(self, alliance: Alliance) -> None:
        before = self._memory.alliances[alliance.alliance_id]
        assert before.state is not AllianceState.ENDED
        assert self._tenant_id in before.sides == alliance.sides
        self._memory.alliances[alliance.alliance_id] = replace(alliance, members=before.members)
        self._look_at(alliance.alliance_id)

    async def choose(self, alliance_id: AllianceID, member_ids: Collection[MemberID]) -> None:
        before = self._memory.alliances[alliance_id]
        members = {**before.members, self._tenant_id: frozenset(member_ids)}
        self._memory.alliances[alliance_id] = replace(before, members=members)
        self._look_at(alliance_id)

    async def note_step(self, alliance: Alliance, step: Step) -> None:
        noted = AllianceStep(revision=alliance.revision, tenant_id=self._tenant_id, step=step)
        self._memory.alliance_steps.append((alliance.alliance_id, noted))

    async def take_untold(self, alliance_id: AllianceID) -> Sequence[AllianceStep]:
        steps = self._memory.alliance_steps
        untold = [found for found in steps if found[0] == alliance_id and found[1].tenant_id != self._tenant_id]
        self._memory.alliance_steps = [found for found in steps if found not in untold]
        return [step for _, step in untold]

    async def tasks(self, lane: Lane, *, limit: int) -> Sequence[AllianceTask]:
        owner = TenantID(lane.lane_key.removeprefix(ALLIANCES_PREFIX))
        return [task for tenant_id, task in self._memory.alliance_tasks if tenant_id == owner][:limit]

    async def finish(self, lane: Lane, tasks: Sequence[AllianceTask]) -> None:
        self._check(lane)
        self._memory.alliance_tasks = [found for found in self._memory.alliance_tasks if found[1] not in tasks]

    async def bury(self, lane: Lane, error: str) -> None:
        assert error
        await self.finish(lane, await self.tasks(lane, limit=1))

    def look_at_all(self) -> None:
        for alliance_id, alliance in self._memory.alliances.items():
            if self._tenant_id in alliance.sides and alliance.state is not AllianceState.ENDED:
                self._look_at(alliance_id)

    def look_at_those_with(self, member_ids: Collection[MemberID]) -> None:
        for alliance_id, alliance in self._memory.alliances.items():
            chosen = alliance.chosen_by(self._tenant_id)
            if self._tenant_id == alliance.partner_tenant_id and not chosen.isdisjoint(member_ids):
                self._look_at(alliance_id)

    def _look_at(self, alliance_id: AllianceID) -> None:
        self._memory.task_number += 1
        task = AllianceTask(task_id=self._memory.task_number, alliance_id=alliance_id)
        self._memory.alliance_tasks.append((self._tenant_id, task))
