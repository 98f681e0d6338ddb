"""Accept an event of the business and put it, once, into the rooms it names."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import Forbidden, KeyReused, NotFound
from bridge.model.credential import IntegrationCredential
from bridge.model.event import BusinessEvent, Delivery, Outgoing
from bridge.model.ids import DeliveryID, MemberID, RoomID, RoomKey, UserID
from bridge.model.json import JsonObject
from bridge.model.room import MatrixHouse
from bridge.policy.relay import render_event
from bridge.ports import Database, Entropy, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayEvent:
    """Store an event for delivery; the same event again answers what the first one was answered."""

    database: Database
    house: MatrixHouse
    entropy: Entropy

    async def __call__(
        self, event: BusinessEvent, raw_body: bytes, *, credential: IntegrationCredential
    ) -> Sequence[DeliveryID]:
        """Return a delivery for each room, once they are stored; raises NotFound, Forbidden, KeyReused."""
        _refuse_scope(credential, "events:write")
        body_sha256 = hashlib.sha256(raw_body).digest()
        async with self.database.work(credential.tenant_id) as work:
            delivery_ids = [DeliveryID(f"dlv_{self.entropy.token()}") for _ in event.room_keys]
            if not await work.outbox.claim_idempotency_key(event.idempotency_key, body_sha256, delivery_ids):
                return await _earlier_answer(work, event.idempotency_key, body_sha256)
            rooms, mentioned = await _find_targets(work, event, credential)
            deliveries = zip(rooms.items(), delivery_ids, strict=True)
            # in one order everywhere, so that two events never wait for each other's lanes
            for (room_key, room_id), delivery_id in sorted(deliveries, key=lambda delivery: delivery[0][1]):
                await work.outbox.add_delivery(
                    delivery_id,
                    event=event,
                    key_id=credential.key_id,
                    room_key=room_key,
                    message=Outgoing(
                        room_id=room_id,
                        sender=self.house.bots.relay,
                        event_type="m.room.message",
                        content=render_event(event, delivery_id, mentioned),
                        delivery_id=delivery_id,
                    ),
                )
        return delivery_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewEvent:
    """Render an event as it would be sent, and send nothing."""

    database: Database

    async def __call__(
        self, event: BusinessEvent, *, credential: IntegrationCredential
    ) -> Mapping[RoomKey, JsonObject]:
        """Return the content for each room; raises NotFound, Forbidden."""
        _refuse_scope(credential, "events:write")
        async with self.database.work(credential.tenant_id) as work:
            rooms, mentioned = await _find_targets(work, event, credential)
        return {key: render_event(event, DeliveryID("dlv_preview"), mentioned) for key in rooms}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowDelivery:
    """Say what became of a delivery."""

    database: Database

    async def __call__(self, delivery_id: DeliveryID, *, credential: IntegrationCredential) -> Delivery:
        """Return the delivery; raises NotFound, Forbidden."""
        _refuse_scope(credential, "deliveries:read")
        async with self.database.work(credential.tenant_id) as work:
            delivery = await work.outbox.find_delivery(delivery_id)
        if delivery is None or not _reaches(credential, delivery.room_key):
            raise NotFound("there is no such delivery")
        return delivery


def _refuse_scope(credential: IntegrationCredential, scope: str) -> None:
    if scope not in credential.scopes:
        raise Forbidden(f"this integration key does not have the scope '{scope}'")


def _reaches(credential: IntegrationCredential, room_key: RoomKey) -> bool:
    return credential.room_keys is None or room_key in credential.room_keys


async def _earlier_answer(work: Work, idempotency_key: str, body_sha256: bytes) -> Sequence[DeliveryID]:
    receipt = await work.outbox.find_receipt(idempotency_key)
    if receipt is None or receipt[0] != body_sha256:
        raise KeyReused("this id was used before with another body; give a new event an id of its own")
    return receipt[1]


async def _find_targets(
    work: Work, event: BusinessEvent, credential: IntegrationCredential
) -> tuple[Mapping[RoomKey, RoomID], Mapping[MemberID, UserID]]:
    """Return the rooms and the people that an event names; raises NotFound with the field."""
    rooms, people = await work.rooms.find_addressed(event.room_keys, event.mentions)
    for index, key in enumerate(event.room_keys):
        # a room out of the key's reach is answered like one that does not exist
        if key not in rooms or not _reaches(credential, key):
            raise NotFound(f"there is no room '{key}' that this key may write to", path=f"$.to[{index}].room")
    for index, member_id in enumerate(event.mentions):
        if member_id not in people:
            raise NotFound(f"there is no person '{member_id}' in this tenant", path=f"$.mentions[{index}]")
    return {key: rooms[key] for key in event.room_keys}, {member_id: people[member_id] for member_id in event.mentions}
