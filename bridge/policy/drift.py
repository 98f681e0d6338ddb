"""Whether an event that somebody else sent leads away from what is desired."""

from bridge.model.event import MatrixEvent
from bridge.model.json import canonical_json
from bridge.model.room import Bots, DesiredRoom


def is_drift(event: MatrixEvent, room: DesiredRoom, bots: Bots) -> bool:
    """Say whether a state event makes a reconcile worth while; what our own bots send never does."""
    if event.sender in bots.all or event.state_key is None:
        return False
    if event.event_type == "m.room.member":
        belongs = event.state_key in room.people or event.state_key in bots.all
        match event.content.get("membership"):
            case "join":
                return not belongs
            case "invite" | "knock":
                return True
            case _:
                return belongs
    wanted = room.state.get((event.event_type, event.state_key))
    if wanted is None:
        return event.event_type in {"m.space.child", "m.space.parent"}
    return canonical_json(wanted) != canonical_json(event.content)
