"""Stores of what is under way, in memory: outbox, jobs, keys, people, inbox."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bridge.model.credential import IntegrationKey
from bridge.model.effect import CreateRoom, Effect, effect_target
from bridge.model.event import (
    BusinessEvent,
    Delivery,
    InboxItem,
    MatrixEvent,
    OutboxItem,
    Outcome,
    Outgoing,
    Refused,
    Sent,
)
from bridge.model.ids import (
    DeliveryID,
    EffectID,
    JobID,
    MemberID,
    OutboxID,
    RoomID,
    RoomKey,
    TenantID,
    UserID,
)
from bridge.model.job import EffectResult, Job, JobOutcome, Lane, OpenJob, Result
from bridge.model.tenant import (
    Person,
)
from bridge.policy.budget import Written, rewrite_of
from tests.unit.fake_person_tasks import FakePersonTasks
from tests.unit.fake_stores import Host, Store


class FakeOutbox(Store):
    async def enqueue(self, message: Outgoing) -> OutboxID:
        outbox_id = OutboxID(len(self._memory.outbox) + 1)
        self._memory.outbox[outbox_id] = OutboxItem(
            outbox_id=outbox_id,
            tenant_id=self._tenant_id,
            room_id=message.room_id,
            kind=message.kind,
            sender=message.sender,
            event_type=message.event_type,
            content=message.content,
            nonce=f"nonce-{outbox_id}",
            attempts=0,
            first_attempt_at=None,
            failures=0,
            delivery_id=message.delivery_id,
        )
        return outbox_id

    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[OutboxItem]:
        waiting = [item for item in self._memory.outbox.values() if item.outbox_id not in self._memory.finished]
        return [item for item in waiting if item.room_id == room_id][:limit]

    async def take_up(self, lane: Lane, *, limit: int) -> Sequence[OutboxItem]:
        self._check(lane)
        items = await self.pending(RoomID(lane.lane_key), limit=limit)
        for item in items:
            self._memory.outbox[item.outbox_id] = replace(
                item,
                attempts=item.attempts + 1,
                first_attempt_at=item.first_attempt_at or self._database.clock.now(),
            )

        return items

    async def record_failure(self, lane: Lane, outbox_id: OutboxID) -> None:
        self._check(lane)
        item = self._memory.outbox[outbox_id]
        self._memory.outbox[outbox_id] = replace(item, failures=item.failures + 1)

    async def finish(self, lane: Lane, outbox_id: OutboxID, outcome: Outcome) -> None:
        self._database.at_finish(outbox_id)
        self._check(lane)
        self._memory.finished.setdefault(outbox_id, outcome)

    async def acknowledge_echo(self, event: MatrixEvent, delivery_id: DeliveryID) -> bool:
        shown = (self._tenant_id, event.room_id, event.sender, delivery_id)
        for item in self._memory.outbox.values():
            if (
                (item.tenant_id, item.room_id, item.sender, item.delivery_id) == shown
                and item.attempts > 0
                and not isinstance(self._memory.finished.get(item.outbox_id), Sent)
            ):
                self._memory.finished[item.outbox_id] = Sent(event_id=event.event_id, acknowledged_by="echo")
                return True
        return False

    async def find_receipt(self, idempotency_key: str) -> tuple[bytes, Sequence[DeliveryID]] | None:
        return self._memory.idempotency.get((self._tenant_id, idempotency_key))

    async def claim_idempotency_key(self, key: str, body_sha256: bytes, delivery_ids: Sequence[DeliveryID]) -> bool:
        if (self._tenant_id, key) in self._memory.idempotency:
            return False
        self._memory.idempotency[self._tenant_id, key] = (body_sha256, list(delivery_ids))
        return True

    async def add_delivery(
        self, delivery_id: DeliveryID, *, event: BusinessEvent, key_id: str, room_key: RoomKey, message: Outgoing
    ) -> None:
        assert key_id
        self._memory.deliveries[delivery_id] = (self._tenant_id, room_key, event, await self.enqueue(message))

    async def find_delivery(self, delivery_id: DeliveryID) -> Delivery | None:
        found = self._memory.deliveries.get(delivery_id)
        if found is None or found[0] != self._tenant_id:
            return None
        _, room_key, event, outbox_id = found
        outcome = self._memory.finished.get(outbox_id)
        state = "queued" if outcome is None else "dead" if isinstance(outcome, Refused) else "delivered"
        return Delivery(
            delivery_id=delivery_id,
            state=state,
            room_id=self._memory.outbox[outbox_id].room_id,
            room_key=room_key,
            type=event.type,
            event_id=outcome.event_id if isinstance(outcome, Sent) else None,
            error=outcome.error if isinstance(outcome, Refused) else None,
        )


class FakeJobs(Store):
    async def enqueue(self, revision: int, *, verify: bool = False) -> JobID:
        assert revision >= 0
        for job in self._memory.jobs.values():
            if (job.tenant_id, job.state) == (self._tenant_id, "queued"):
                self._memory.asks[job.job_id] += 1
                self._memory.verifies[job.job_id] |= verify
                return job.job_id
        job_id = JobID(f"job-{len(self._memory.jobs) + 1}")
        self._memory.jobs[job_id] = Job(
            job_id=job_id, tenant_id=self._tenant_id, state="queued", error=None, effects=()
        )
        self._memory.asks[job_id], self._memory.verifies[job_id] = 1, verify
        return job_id

    async def find(self, job_id: JobID) -> Job | None:
        job = self._memory.jobs.get(job_id)
        return job if job and job.tenant_id == self._tenant_id else None

    async def next_open(self) -> OpenJob | None:
        mine = [job for job in self._memory.jobs.values() if job.tenant_id == self._tenant_id]
        for state in ("running", "queued"):
            for job in mine:
                if job.state == state:
                    return OpenJob(
                        job_id=job.job_id, is_resumed=state == "running", verify=self._memory.verifies[job.job_id]
                    )
        return None

    async def asked(self) -> int:
        jobs = self._memory.jobs.values()
        queued = [job for job in jobs if (job.tenant_id, job.state) == (self._tenant_id, "queued")]
        return self._memory.asks[queued[0].job_id] if queued else 0

    async def begin(self, lane: Lane, job_id: JobID, effects: Sequence[Effect]) -> int:
        self._check(lane)
        job = self._memory.jobs[job_id]
        targets = [effect_target(effect) for effect in effects]
        again = {target.effect_id for target in targets}
        kept = tuple(
            result
            for result in job.effects
            if result.state == "done" or (result.state == "failed" and result.target.effect_id not in again)
        )
        new = tuple(EffectResult(target=target, state="pending", error=None) for target in targets)
        self._memory.jobs[job_id] = replace(job, state="running", effects=kept + new)
        return len(kept)

    async def record_results(self, lane: Lane, job_id: JobID, results: Sequence[Result]) -> None:
        self._check(lane)
        job = self._memory.jobs[job_id]
        effects = list(job.effects)
        for result in results:
            assert result.is_withheld <= (result.error is not None)
            target = effects[result.position].target
            assert target.effect_id == effect_target(result.effect).effect_id
            target = replace(target, room_id=result.room_id or target.room_id)
            state = "failed" if result.error else "done"
            effects[result.position] = EffectResult(target=target, state=state, error=result.error)
            rewrite = rewrite_of(result.effect)
            if rewrite and not result.error:
                written = self._memory.written.setdefault((self._tenant_id, rewrite.subject), [])
                written.append((rewrite.value, self._database.clock.monotonic()))
        self._memory.jobs[job_id] = replace(job, effects=tuple(effects))

    async def tried_before(self, job_id: JobID, effects: Sequence[CreateRoom]) -> frozenset[EffectID]:
        wanted = {effect_target(effect).effect_id for effect in effects}
        return frozenset(
            result.target.effect_id
            for job in self._memory.jobs.values()
            for result in job.effects
            if (job.tenant_id, result.state != "done") == (self._tenant_id, True)
            and job.job_id != job_id
            and result.target.effect_id in wanted
        )

    async def written(self, subjects: Sequence[str]) -> Mapping[str, Sequence[Written]]:
        now = self._database.clock.monotonic()
        return {
            subject: [
                Written(value=value, age_seconds=now - at)
                for value, at in self._memory.written.get((self._tenant_id, subject), [])
            ]
            for subject in subjects
        }

    async def finish(self, lane: Lane, job_id: JobID, outcome: JobOutcome) -> None:
        self._check(lane)
        job = self._memory.jobs[job_id]
        state = "failed" if outcome.error else "done"
        self._memory.jobs[job_id] = replace(job, state=state, error=outcome.error)
        self._memory.outcomes[job_id] = outcome


class FakeKeys(Store):
    async def add(
        self,
        *,
        name: str,
        prefix: str,
        secret_sha256: bytes,
        scopes: Sequence[str],
        room_keys: Sequence[RoomKey] | None,
        expires_at: datetime | None,
    ) -> IntegrationKey:
        key = IntegrationKey(
            key_id=f"key-{len(self._memory.keys) + 1}",
            name=name,
            prefix=prefix,
            scopes=tuple(scopes),
            room_keys=None if room_keys is None else tuple(room_keys),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            expires_at=expires_at,
        )
        self._memory.keys[key.key_id] = (self._tenant_id, key, secret_sha256)
        return key

    async def list_valid(self, *, after: str | None, limit: int) -> Sequence[IntegrationKey]:
        mine = [key for owner, key, _ in self._memory.keys.values() if owner == self._tenant_id]
        names = [key.key_id for key in mine]
        first = 0 if after is None else names.index(after) + 1 if after in names else len(names)
        return mine[first : first + limit]

    async def revoke(self, key_id: str) -> bool:
        found = self._memory.keys.get(key_id)
        if found is None or found[0] != self._tenant_id:
            return False
        del self._memory.keys[key_id]
        return True

    async def revoke_all(self) -> int:
        mine = [key_id for key_id, (owner, _, _) in self._memory.keys.items() if owner == self._tenant_id]
        for key_id in mine:
            del self._memory.keys[key_id]
        return len(mine)


class FakePeople(Store):
    def __init__(self, database: Host, tenant_id: TenantID, tasks: FakePersonTasks) -> None:
        super().__init__(database, tenant_id)
        self._tasks = tasks

    async def find(self, member_id: MemberID) -> Person | None:
        return self._memory.people.get(member_id)

    async def member_ids(self, user_ids: Sequence[UserID]) -> Mapping[UserID, MemberID]:
        return {p.user_id: p.member_id for p in self._memory.people.values() if p.user_id in user_ids}

    async def find_all(self, member_ids: Collection[MemberID]) -> Mapping[MemberID, Person]:
        return {who: person for who in member_ids if (person := self._memory.people.get(who))}

    async def save(self, *people: Person) -> None:
        before = {person.member_id: self._memory.people.get(person.member_id) for person in people}
        self._memory.people.update({person.member_id: person for person in people})
        changed = [
            (old, new)
            for new in people
            if (old := before[new.member_id]) and (old.active, old.super_admin) != (new.active, new.super_admin)
        ]
        await self._tasks.enqueue("standing", [new.member_id for _, new in changed])
        await self._tasks.end_sessions([new.member_id for old, new in changed if old.active and not new.active])
        staff = [new.member_id for old, new in changed if old.super_admin or new.super_admin]
        staff += [new.member_id for new in people if before[new.member_id] is None and new.super_admin]
        await self._tasks.enqueue("staff", staff)

    async def are_blocking(self, one: MemberID, other: MemberID) -> bool:
        return bool({(one, other), (other, one)} & self._memory.blocks)

    async def blocked_by(self, member_id: MemberID) -> Sequence[MemberID]:
        return sorted(blocked for who, blocked in self._memory.blocks if who == member_id)

    async def record_registered(self, user_id: UserID) -> None:
        self._memory.registered.add(user_id)

    async def record_profile_name(self, user_id: UserID, display_name: str) -> None:
        self._memory.profile_names[user_id] = display_name

    async def record_profile_avatar(self, user_id: UserID, avatar_url: str) -> None:
        self._memory.profile_avatars[user_id] = avatar_url


class FakeInbox(Store):
    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[InboxItem]:
        return self._memory.inbox.get(room_id, [])[:limit]

    async def hold(self, lane: Lane) -> None:
        self._check(lane)
        self._database.at_hold()

    async def finish(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        self._check(lane)
        self._take(RoomID(lane.lane_key), items)

    async def set_aside(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        self._check(lane)
        self._take(RoomID(lane.lane_key), items)
        self._memory.stray.setdefault(RoomID(lane.lane_key), []).extend(items)

    async def recall(self, room_id: RoomID) -> None:
        recalled = self._memory.stray.pop(room_id, [])
        waiting = [*recalled, *self._memory.inbox.get(room_id, [])]
        self._memory.inbox[room_id] = sorted(waiting, key=lambda item: item.inbox_id)

    async def quarantine(self, item: InboxItem, error: str) -> None:
        self._memory.quarantined.append((item, error))

    def _take(self, room_id: RoomID, items: Sequence[InboxItem]) -> None:
        taken = {item.inbox_id for item in items}
        self._memory.inbox[room_id] = [i for i in self._memory.inbox.get(room_id, []) if i.inbox_id not in taken]
