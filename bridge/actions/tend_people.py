"""Tell Synapse and the tenants what has become of people: who may use nothing, whose sessions end, who comes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from bridge.actions.erase_person import ErasePerson
from bridge.actions.keep_direct_list import KeepDirectList
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.actions.settle_alliance import SettleAlliance
from bridge.model.alliance import ALLIANCES_PREFIX
from bridge.model.ids import PLATFORM, MemberID, RoomID, TenantID, UserID
from bridge.model.job import Lane
from bridge.model.room import MatrixHouse
from bridge.model.standing import STANDINGS_PREFIX, PersonTask, Standing, Verdict
from bridge.policy.standing import judge
from bridge.ports import Database, Expiry, Homeserver

BATCH = 500
"""How many standings one request to our module speaks of: a large tenant is suspended in a few."""

Verdicts = Mapping[MemberID, tuple[UserID, Verdict]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TendPeople:
    """Work off a lane of the queue 'people'.

    A tenant's lane of standings is told to our module many people at once, so that nobody waits for others. A tenant's
    lane of alliances has those to be looked at whose other side it has changed. Everything else is a lane per person.
    """

    database: Database
    homeserver: Homeserver
    expiry: Expiry
    house: MatrixHouse
    erase: ErasePerson
    settle: SettleAlliance

    async def __call__(self, lane: Lane) -> int:
        """Do the lane's next tasks and return how many are done; raises DependencyDown, and then they stay."""
        if lane.lane_key.startswith(STANDINGS_PREFIX):
            return await self._tell_standings(lane)
        if lane.lane_key.startswith(ALLIANCES_PREFIX):
            return await self._settle_alliances(lane)
        async with self.database.work(PLATFORM) as work:
            tasks = await work.person_tasks.pending(lane.lane_key, limit=1)
        for task in tasks:
            if await self._do(task):
                await self._finish(lane, task)
        return len(tasks)

    async def bury(self, lane: Lane, error: str) -> None:
        """Set the lane's oldest task aside."""
        async with self.database.work(PLATFORM) as work:
            if lane.lane_key.startswith(ALLIANCES_PREFIX):
                await work.alliances.bury(lane, error)
                return
            for task in await work.person_tasks.pending(lane.lane_key, limit=1):
                await work.person_tasks.bury(lane, task, error)

    async def _settle_alliances(self, lane: Lane) -> int:
        async with self.database.work(PLATFORM) as work:
            tasks = await work.alliances.tasks(lane, limit=BATCH)
        for alliance_id in sorted({task.alliance_id for task in tasks}):
            await self.settle(alliance_id)
        async with self.database.work(PLATFORM) as work:
            await work.alliances.finish(lane, tasks)
        return len(tasks)

    async def _tell_standings(self, lane: Lane) -> int:
        """Tell our module, then look again: what has changed meanwhile stays to be told.

        Two lanes may speak of one person at once, and the later word may be the older one. Whoever spoke last looks
        after it, so that in the end what is told is what stands.
        """
        async with self.database.work(PLATFORM) as work:
            tasks = await work.person_tasks.pending(lane.lane_key, limit=BATCH)
        member_ids = {task.member_id for task in tasks}
        told = await self._judge(member_ids)
        expired, restored = _these(told, Verdict.EXPIRE), _these(told, Verdict.RESTORE)
        if expired or restored:
            await self.expiry.put(expired=list(expired.values()), restored=list(restored.values()))
        now = await self._judge(member_ids)
        same = {member_id for member_id in member_ids if told.get(member_id) == now.get(member_id)}
        done = [task for task in tasks if task.member_id in same]
        async with self.database.work(TenantID(lane.lane_key.removeprefix(STANDINGS_PREFIX))) as work:
            await work.person_tasks.finish(lane, done)
            await work.person_tasks.enqueue("hold", _these(told, Verdict.HOLD).keys() & same)
            await work.person_tasks.record_told(expired=expired.keys() & same, restored=restored.keys() & same)
        return len(done)

    async def _judge(self, member_ids: Collection[MemberID]) -> Verdicts:
        return {
            standing.member_id: (
                standing.user_id,
                judge(standing, is_inside_suspended=await self._is_inside_suspended(standing)),
            )
            for standing in await self.database.standings(member_ids)
        }

    async def _is_inside_suspended(self, standing: Standing) -> bool:
        return any([await self._rooms_in(tenant_id, standing) for tenant_id in standing.suspended_tenants])

    async def _rooms_in(self, tenant_id: TenantID, standing: Standing) -> Sequence[RoomID]:
        async with self.database.work(tenant_id) as work:
            return await work.rooms.rooms_of(standing.user_id)

    async def _do(self, task: PersonTask) -> bool:
        """Do a task, or a piece of it; return whether it is done."""
        match task.kind:
            case "erase":
                return await self.erase(task.member_id)
            case "log_out":
                await self._log_out(task.member_id)
            case "tenants":
                hosts = await self.database.hosts_of_person(task.member_id)
                await self._ask_tenants({*await self.database.tenant_ids_of_person(task.member_id), *hosts})
            case "direct_list":
                await KeepDirectList(database=self.database, homeserver=self.homeserver)(task.member_id)
            case "staff":
                await self._ask_tenants(await self.database.tenants_with_staff_tickets())
            case "hold":
                await self._take_out(task.member_id)
            case "standing":  # of a tenant's lane
                pass
            case _:  # pragma: no cover - the kinds are closed
                assert_never(task.kind)
        return True

    async def _finish(self, lane: Lane, task: PersonTask) -> None:
        async with self.database.work(task.tenant_id or PLATFORM) as work:
            if task.kind == "hold":
                await work.person_tasks.enqueue("standing", [task.member_id])
            await work.person_tasks.finish(lane, [task])

    async def _log_out(self, member_id: MemberID) -> None:
        for standing in await self.database.standings([member_id]):
            if standing.is_registered:
                await self.homeserver.log_out_everywhere(standing.user_id)

    async def _ask_tenants(self, tenant_ids: Collection[TenantID]) -> None:
        for tenant_id in sorted(tenant_ids):
            async with self.database.work(tenant_id) as work:
                await ask_for_reconcile(work, self.house)

    async def _take_out(self, member_id: MemberID) -> None:
        """Take a person out of the rooms of their suspended tenants: whoever holds them keeps them from all others.

        A reconcile would do it, too; but the person waits.
        """
        for standing in await self.database.standings([member_id]):
            if judge(standing, is_inside_suspended=await self._is_inside_suspended(standing)) is Verdict.HOLD:
                for tenant_id in standing.suspended_tenants:
                    for room_id in await self._rooms_in(tenant_id, standing):
                        await self.homeserver.kick(room_id, standing.user_id)
                        await self._look_at(tenant_id, room_id)

    async def _look_at(self, tenant_id: TenantID, room_id: RoomID) -> None:
        state = await self.homeserver.room_state(room_id)
        async with self.database.work(tenant_id) as work:
            await work.rooms.record_state(state)


def _these(verdicts: Verdicts, wanted: Verdict) -> dict[MemberID, UserID]:
    return {member_id: user_id for member_id, (user_id, verdict) in verdicts.items() if verdict is wanted}
