"""The queue of people in memory, as the port wants it."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from bridge.model.ids import MemberID
from bridge.model.job import Lane
from bridge.model.standing import STANDINGS_PREFIX, PersonTask, TaskKind
from tests.unit.fake_stores import Store


class FakePersonTasks(Store):
    async def end_sessions(self, member_ids: Collection[MemberID]) -> None:
        await self.enqueue("standing", member_ids)
        await self.enqueue("log_out", member_ids)
        self._void(member_ids)

    def _void(self, member_ids: Collection[MemberID]) -> None:
        for member_id in member_ids:
            self._memory.epochs[member_id] = self._memory.epochs.get(member_id, 0) + 1

    async def review_expired(self, member_ids: Collection[MemberID]) -> None:
        waiting = {task.member_id for _, task in self._memory.person_tasks}
        expired = {member_id for member_id, is_expired in self._memory.told.items() if is_expired}
        await self.enqueue("standing", set(member_ids) & (waiting | expired))

    async def enqueue(self, kind: TaskKind, member_ids: Collection[MemberID]) -> None:
        for member_id in sorted(member_ids):
            self._memory.task_number += 1
            task = PersonTask(
                task_id=self._memory.task_number, member_id=member_id, kind=kind, tenant_id=self._tenant_id
            )
            lane_key = STANDINGS_PREFIX + self._tenant_id if kind == "standing" else member_id
            self._memory.person_tasks.append((lane_key, task))

    async def pending(self, lane_key: str, *, limit: int) -> Sequence[PersonTask]:
        return [task for key, task in self._memory.person_tasks if key == lane_key][:limit]

    async def is_waiting(self, member_id: MemberID) -> bool:
        ending = (task for _, task in self._memory.person_tasks if task.kind not in {"direct_list", "staff"})
        return any(task.member_id == member_id for task in ending)

    async def finish(self, lane: Lane, tasks: Sequence[PersonTask]) -> None:
        self._check(lane)
        done = {task.task_id for task in tasks}
        self._memory.person_tasks = [found for found in self._memory.person_tasks if found[1].task_id not in done]

    async def bury(self, lane: Lane, task: PersonTask, error: str) -> None:
        await self.finish(lane, [task])
        self._memory.buried.append((replace(task), error))

    async def record_told(self, *, expired: Collection[MemberID], restored: Collection[MemberID]) -> None:
        new = [member_id for member_id in sorted(expired) if not self._memory.told.get(member_id)]
        await self.enqueue("log_out", new)
        self._void(new)
        self._memory.told |= dict.fromkeys(restored, False) | dict.fromkeys(expired, True)
