"""What happened in a tenant that its integrations may want to hear of."""

from dataclasses import dataclass, field

from bridge.model.ids import RoomKey
from bridge.model.json import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEvent:
    """Something that happened, in the terms of CloudEvents: ``type`` as contract section 2 lists them for webhooks.

    ``data`` has ids and states, and no words of people: whoever may read those reads them by the ids.
    """

    type: str
    subject: str
    """The id of what it happened to: a ticket's, an alliance's, a person's."""
    room_key: RoomKey | None = None
    data: JsonObject = field(default_factory=dict[str, Json])
