"""Stores of what is under way, in memory: outbox, jobs, keys, people, inbox."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bridge.model.credential import IntegrationKey
from bridge.model.effect import Effect, effect_target
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
    JobID,
    MemberID,
    OutboxID,
    RoomID,
    RoomKey,
    UserID,
)
from bridge.model.job import EffectResult, Job, Lane
from bridge.model.tenant import (
    Person,
)
from tests.unit.fake_stores import Store


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
    async def enqueue(self, revision: int) -> JobID:
        assert revision >= 0
        for job in self._memory.jobs.values():
            if (job.tenant_id, job.state) == (self._tenant_id, "queued"):
                return job.job_id
        job_id = JobID(f"job-{len(self._memory.jobs) + 1}")
        self._memory.jobs[job_id] = Job(
            job_id=job_id, tenant_id=self._tenant_id, state="queued", error=None, effects=()
        )
        return job_id

    async def find(self, job_id: JobID) -> Job | None:
        job = self._memory.jobs.get(job_id)
        return job if job and job.tenant_id == self._tenant_id else None

    async def next_open(self) -> JobID | None:
        mine = [job for job in self._memory.jobs.values() if job.tenant_id == self._tenant_id]
        ordered = [job for state in ("running", "queued") for job in mine if job.state == state]
        return ordered[0].job_id if ordered else None

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

    async def record_effect(
        self, lane: Lane, job_id: JobID, position: int, *, room_id: RoomID | None, error: str | None
    ) -> None:
        self._check(lane)
        job = self._memory.jobs[job_id]
        results = list(job.effects)
        target = replace(results[position].target, room_id=room_id or results[position].target.room_id)
        results[position] = EffectResult(target=target, state="failed" if error else "done", error=error)
        self._memory.jobs[job_id] = replace(job, effects=tuple(results))

    async def finish(self, lane: Lane, job_id: JobID, *, error: str | None) -> None:
        self._check(lane)
        job = self._memory.jobs[job_id]
        self._memory.jobs[job_id] = replace(job, state="failed" if error else "done", error=error)


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

    async def list_all(self) -> Sequence[IntegrationKey]:
        return [key for owner, key, _ in self._memory.keys.values() if owner == self._tenant_id]

    async def revoke(self, key_id: str) -> bool:
        found = self._memory.keys.get(key_id)
        if found is None or found[0] != self._tenant_id:
            return False
        del self._memory.keys[key_id]
        return True


class FakePeople(Store):
    async def find(self, member_id: MemberID) -> Person | None:
        return self._memory.people.get(member_id)

    async def member_ids(self, user_ids: Sequence[UserID]) -> Mapping[UserID, MemberID]:
        return {p.user_id: p.member_id for p in self._memory.people.values() if p.user_id in user_ids}

    async def save(self, person: Person) -> None:
        self._memory.people[person.member_id] = person

    async def record_registered(self, user_id: UserID) -> None:
        self._memory.registered.add(user_id)

    async def record_profile_name(self, user_id: UserID, display_name: str) -> None:
        self._memory.profile_names[user_id] = display_name


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
