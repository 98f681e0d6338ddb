"""What an event of a room means for the read model."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.model.event import MatrixEvent
from bridge.model.ids import DeliveryID, EventID, TenantID
from bridge.model.json import JsonObject

DELIVERY_ID = "com.bitnexus.delivery_id"
"""The content's key by which our own event is recognised when it comes back."""

SENDERS_TENANT = "com.bitnexus.tenant_id"
"""The content's key by which a message in an alliance's room says whose its sender is."""

_MESSAGE_TYPES = frozenset({"m.room.message", "m.sticker"})


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message of its own."""


@dataclass(frozen=True, slots=True)
class EditMessage:
    """An edit: ``content`` takes the place of what ``event_id`` says (specification: "Event replacements")."""

    event_id: EventID
    content: JsonObject


@dataclass(frozen=True, slots=True)
class RedactMessage:
    """A redaction of ``event_id``."""

    event_id: EventID


@dataclass(frozen=True, slots=True)
class NewState:
    """A state event."""


@dataclass(frozen=True, slots=True)
class NoMeaning:
    """An event that the read model does not keep."""


Meaning = NewMessage | EditMessage | RedactMessage | NewState | NoMeaning


def read_event(event: MatrixEvent) -> Meaning:
    """Return what the event means; content that does not follow the specification means nothing."""
    if event.state_key is not None:
        return NewState()
    if event.event_type == "m.room.redaction":
        target = event.redacts or event.content.get("redacts")
        return RedactMessage(EventID(target)) if isinstance(target, str) else NoMeaning()
    if event.event_type in _MESSAGE_TYPES:
        return _read_message(event)
    return NoMeaning()


def has_left(event: MatrixEvent) -> bool:
    """Say whether somebody left a room by themselves."""
    is_membership = event.event_type == "m.room.member" and event.content.get("membership") == "leave"
    return is_membership and event.state_key == event.sender


def delivery_of(event: MatrixEvent) -> DeliveryID | None:
    """Return which delivery of ours an event shows, going by its content alone: look at its sender first."""
    found = event.content.get(DELIVERY_ID)
    return DeliveryID(found) if isinstance(found, str) else None


def tenant_of_sender(event: MatrixEvent) -> TenantID | None:
    """Return the tenant that a message in an alliance's room carries: our module writes it, and there alone."""
    found = event.content.get(SENDERS_TENANT)
    return TenantID(found) if isinstance(found, str) else None


def _read_message(event: MatrixEvent) -> Meaning:
    relation = event.content.get("m.relates_to")
    if not isinstance(relation, Mapping) or relation.get("rel_type") != "m.replace":
        return NewMessage()
    target, content = relation.get("event_id"), event.content.get("m.new_content")
    if isinstance(target, str) and isinstance(content, Mapping):
        return EditMessage(EventID(target), content)
    return NoMeaning()
