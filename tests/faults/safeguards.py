"""The bridge's safeguards, each with what switches it off; planted from outside, in the forked process.

A run without one of them must be caught by the checker: else the checker sees nothing, or the safeguard guards nothing.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import bridge.actions.send_messages
import bridge.app
import bridge.db.inbox
import bridge.db.lanes
import bridge.db.outbox
import bridge.matrix.homeserver
from bridge.actions.handle_matrix_events import BATCH, HandleMatrixEvents
from bridge.actions.relay_event import RelayEvent
from bridge.actions.send_messages import SendMessages
from bridge.db.inbox import InboxStore
from bridge.db.outbox import OutboxStore
from bridge.errors import DependencyDown
from bridge.matrix.appservice import AppserviceEndpoints
from bridge.matrix.homeserver import SynapseHomeserver
from bridge.model.event import MatrixEvent
from bridge.model.ids import RoomID, TxnID
from bridge.model.job import Lane
from bridge.watch import Watch

_TASKS: set["asyncio.Task[Any]"] = set()
_LATE_SECONDS = 0.1


def _later(work: Any) -> None:
    """Do work when the answer is long out."""

    async def late() -> Any:
        await asyncio.sleep(_LATE_SECONDS)
        return await work

    task = asyncio.create_task(late())
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


def _acknowledge_transactions_early() -> None:
    store = bridge.app.store_transaction

    async def early(pool: Any, items: Any, unparsable: Any) -> int:
        _later(store(pool, items, unparsable))
        return len(items)

    bridge.app.store_transaction = early


def _acknowledge_events_early() -> None:
    relay = RelayEvent.__call__

    async def early(self: RelayEvent, event: Any, raw_body: bytes, *, credential: Any) -> list[str]:
        _later(relay(self, event, raw_body, credential=credential))
        return [f"dlv_{secrets.token_hex(8)}" for _ in event.room_keys]

    RelayEvent.__call__ = early  # type: ignore[method-assign]


def _believe_txn_ids() -> None:
    """Take a transaction for known by its id, as mautrix does, and not by its events'."""
    put, known = AppserviceEndpoints.put_transaction, set[str]()

    async def believing(self: AppserviceEndpoints, request: Any) -> Any:
        txn_id = request.match_info["txn_id"]
        if txn_id in known:
            return bridge.app.web.json_response({})
        answer = await put(self, request)
        known.add(txn_id)
        return answer

    AppserviceEndpoints.put_transaction = believing  # type: ignore[method-assign]


def _count_each_coming() -> None:
    """Take an event that comes again for another one."""
    store = bridge.app.store_transaction

    async def counting(pool: Any, items: Any, unparsable: Any) -> int:
        new = [await _renamed(pool, *item) for item in items]
        return await store(pool, new, unparsable)

    bridge.app.store_transaction = counting


async def _renamed(pool: Any, item_id: str, body: Any) -> tuple[str, Any]:
    known = await pool.fetchval("SELECT count(*) FROM inbox WHERE event_id = $1", item_id)
    if not known or not isinstance(body, MatrixEvent):
        return item_id, body
    again = f"{item_id}~{secrets.token_hex(4)}"
    return again, replace(body, event_id=again)


def _repair_no_gaps() -> None:
    async def check(_self: Watch, _reason: str, *, until: int | None) -> None:
        return None

    Watch._check = check  # type: ignore[method-assign]


def _txn_id_per_attempt() -> None:
    bridge.actions.send_messages.txn_id_of = lambda _item, _stage="send": TxnID(secrets.token_hex(20))


def _txn_id_of_the_stage_alone() -> None:
    bridge.actions.send_messages.txn_id_of = lambda _item, stage="send": TxnID(f"{stage}-1")


def _hear_no_echo() -> None:
    async def deaf(_self: OutboxStore, _event: Any, _delivery_id: str) -> bool:
        return False

    OutboxStore.acknowledge_echo = deaf  # type: ignore[method-assign]


def _send_without_a_device() -> None:
    api = SynapseHomeserver._api

    def deviceless(self: SynapseHomeserver, user_id: Any, _device_id: Any = None) -> Any:
        return api(self, user_id)

    SynapseHomeserver._api = deviceless  # type: ignore[method-assign]


def _ignore_the_fence() -> None:
    """Record results of a lane, whoever holds it now."""
    finish, hold = bridge.db.lanes.finish_items, bridge.db.lanes.hold_lane

    async def as_if_held(connection: Any, lane: Lane) -> Lane:
        sql = "SELECT fence FROM lanes WHERE queue = $1 AND lane_key = $2"
        return replace(lane, fence=await connection.fetchval(sql, lane.queue, lane.lane_key))

    async def finish_any(connection: Any, lane: Lane, update: Any, *values: object) -> int:
        return await finish(connection, await as_if_held(connection, lane), update, *values)

    async def hold_any(connection: Any, lane: Lane) -> None:
        await hold(connection, await as_if_held(connection, lane))

    for module in (bridge.db.inbox, bridge.db.outbox):
        module.finish_items, module.hold_lane = finish_any, hold_any  # type: ignore[attr-defined]


def _keep_the_order_of_arrival() -> None:
    store = bridge.app.store_transaction

    async def unplaced(pool: Any, items: Any, unparsable: Any) -> int:
        bare = [
            (item_id, replace(body, stream_position=None) if isinstance(body, MatrixEvent) else body)
            for item_id, body in items
        ]
        return await store(pool, bare, unparsable)

    bridge.app.store_transaction = unplaced


def _handle_outside_the_transaction() -> None:
    """Mark events handled in one transaction, and handle them in the next."""

    async def apart(self: HandleMatrixEvents, lane: Any) -> int:
        room_id = RoomID(lane.lane_key)
        tenant_id = await self.database.tenant_of_room(room_id)
        assert tenant_id is not None, "only rooms that are known take part in this"
        async with self.database.work(tenant_id) as work:
            items = await work.inbox.pending(room_id, limit=BATCH)
            await InboxStore.finish(work.inbox, replace(lane, tenant_id=tenant_id), items)  # type: ignore[arg-type]
        await asyncio.sleep(_LATE_SECONDS)
        async with self.database.work(tenant_id) as work:
            await self._handle(work, room_id, items)
        return len(items)

    HandleMatrixEvents.__call__ = apart  # type: ignore[method-assign]


def _pass_a_waiting_head() -> None:
    """Go on with the next message when one has to wait."""

    async def passing(self: SendMessages, lane: Any) -> int:
        async with self.database.work(lane.tenant_id) as work:
            items = await work.outbox.take_up(lane, limit=BATCH)
        done = 0
        for item in items:
            try:
                outcome = await self._deliver(lane, item)
            except DependencyDown:
                continue
            await self._record(lane, item, outcome)
            done += 1
        return done

    SendMessages.__call__ = passing  # type: ignore[method-assign]


def _take_the_key_apart() -> None:
    """Commit the idempotency key before the messages that it stands for."""
    claim = OutboxStore.claim_idempotency_key

    async def apart(self: OutboxStore, key: str, body_sha256: bytes, delivery_ids: Any) -> bool:
        is_new = await claim(self, key, body_sha256, delivery_ids)
        await self._connection.execute("COMMIT")
        await self._connection.execute("BEGIN")
        await self._connection.execute("SELECT set_config('bitnexus.tenant_id', $1, true)", self._tenant_id)
        return is_new

    OutboxStore.claim_idempotency_key = apart  # type: ignore[method-assign]


def _know_no_keys() -> None:
    async def new(_self: OutboxStore, _key: str, _body_sha256: bytes, _delivery_ids: Any) -> bool:
        return True

    OutboxStore.claim_idempotency_key = new  # type: ignore[method-assign]


def _look_up_nothing() -> None:
    async def nothing(_self: SynapseHomeserver, *_args: Any, **_named: Any) -> None:
        return None

    SynapseHomeserver.find_sent = nothing  # type: ignore[assignment,method-assign]


def _swallow_failures_to_store() -> None:
    store = bridge.app.store_transaction

    async def careless(pool: Any, items: Any, unparsable: Any) -> int:
        try:
            return await store(pool, items, unparsable)
        except DependencyDown:
            return 0

    bridge.app.store_transaction = careless


SAFEGUARDS: Mapping[str, Callable[[], None]] = {
    "a transaction is stored before it is acknowledged": _acknowledge_transactions_early,
    "a transaction that could not be stored is refused": _swallow_failures_to_store,
    "an event of n8n is stored before it is acknowledged": _acknowledge_events_early,
    "a transaction's id proves nothing": _believe_txn_ids,
    "an event counts once, by its event id": _count_each_coming,
    "gaps are repaired": _repair_no_gaps,
    "a message has one transaction id for all attempts": _txn_id_per_attempt,
    "each message has a transaction id of its own": _txn_id_of_the_stage_alone,
    "an echo acknowledges": _hear_no_echo,
    "our bots have devices": _send_without_a_device,
    "a lane's fence": _ignore_the_fence,
    "the homeserver's order": _keep_the_order_of_arrival,
    "an event is handled in the transaction that marks it so": _handle_outside_the_transaction,
    "a waiting head holds its lane": _pass_a_waiting_head,
    "key and messages are one transaction": _take_the_key_apart,
    "an idempotency key is taken once": _know_no_keys,
    "an old attempt is looked up": _look_up_nothing,
}
"""Each safeguard in words, with what switches it off."""
