"""Whether an event leads away from what is desired."""

from bridge.model.event import MatrixEvent
from bridge.model.json import same_json
from bridge.model.room import Bots, DesiredRoom
from bridge.policy.reconcile import is_stray


def is_drift(event: MatrixEvent, room: DesiredRoom, bots: Bots) -> bool:
    """Say whether a state event makes a reconcile worth while.

    The echo of what we wrote ourselves is as desired. What is not is drift whoever it names as its sender: Synapse's
    admin API acts in the name of our creator.
    """
    if event.state_key is None:
        return False
    if event.event_type == "m.room.member":
        return _is_membership_drift(event, room, bots)
    wanted = room.state.get((event.event_type, event.state_key))
    if wanted is None:
        return is_stray(event.event_type, event.content)
    return not same_json(wanted, event.content)


def _is_membership_drift(event: MatrixEvent, room: DesiredRoom, bots: Bots) -> bool:
    is_bot = event.state_key in bots.all
    if is_bot and room.without_bots:
        return False  # they come and go by themselves
    belongs = event.state_key in room.people or event.state_key in room.bots
    match event.content.get("membership"):
        case "join":
            return not belongs and not is_bot
        case "invite" | "knock":
            # those who belong we invite ourselves, and join them in the next moment
            return not (belongs or is_bot) or event.sender not in bots.all
        case _:
            return belongs
