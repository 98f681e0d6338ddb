"""Routes of business events and their deliveries."""

from bridge.api.call import Call
from bridge.api.shapes import (
    DeliveriesAnswer,
    DeliveryAnswer,
    DeliveryItem,
    EventBody,
    PreviewAnswer,
    RenderedRoom,
)
from bridge.errors import InvalidInput, MissingInput
from bridge.model.event import BusinessEvent
from bridge.model.ids import DeliveryID, parse_member_id, parse_room_key


async def post_event(call: Call) -> DeliveriesAnswer | PreviewAnswer:
    """Store an event for delivery and answer 202; with ``dry_run=true`` show it and send nothing."""
    event = _event_from(call)
    if call.flag("dry_run"):
        rendered = await call.actions.preview_event(event, credential=call.integration)
        return PreviewAnswer(
            rendered=tuple(RenderedRoom(room=key, content=content) for key, content in rendered.items())
        )
    delivery_ids = await call.actions.relay_event(event, call.raw_body, credential=call.integration)
    base = call.actions.public_url
    return DeliveriesAnswer(
        deliveries=tuple(
            DeliveryItem(delivery_id=delivery_id, status_url=f"{base}/v1/deliveries/{delivery_id}")
            for delivery_id in delivery_ids
        )
    )


async def get_delivery(call: Call) -> DeliveryAnswer:
    """Say what became of a delivery."""
    delivery_id = DeliveryID(call.path("delivery_id"))
    delivery = await call.actions.show_delivery(delivery_id, credential=call.integration)
    return DeliveryAnswer(
        delivery_id=delivery.delivery_id,
        state=delivery.state,
        room=delivery.room_key,
        room_id=delivery.room_id,
        type=delivery.type,
        event_id=delivery.event_id,
        error=delivery.error,
    )


def _event_from(call: Call) -> BusinessEvent:
    body = call.body_as(EventBody)
    if not body.title and not body.body:
        raise MissingInput("an event needs a title or a body", path="$.title")
    room_keys = tuple(parse_room_key(target.room) for target in body.to)
    for index, key in enumerate(room_keys):
        if key in room_keys[:index]:
            raise InvalidInput(f"the room '{key}' stands in 'to' twice", path=f"$.to[{index}].room")
    return BusinessEvent(
        type=body.type,
        idempotency_key=_idempotency_key(call, body),
        room_keys=room_keys,
        severity=body.severity,
        title=body.title,
        body=body.body,
        subject=body.subject,
        data=body.data,
        mentions=tuple(dict.fromkeys(parse_member_id(member_id) for member_id in body.mentions)),
    )


def _idempotency_key(call: Call, body: EventBody) -> str:
    """Return the body's ``id``, or the header ``webhook-id`` or ``Idempotency-Key``."""
    headers = call.request.headers
    key = body.id or headers.get("webhook-id") or headers.get("Idempotency-Key")
    if not key:
        raise MissingInput("an event needs an id of its own, the same at each retry", path="$.id")
    if len(key) > 256 or "\0" in key:  # noqa: PLR2004 - as EventBody.id
        raise InvalidInput("an idempotency key has at most 256 characters", path="$.id")
    return key
