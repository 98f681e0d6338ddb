"""A homeserver that lives in memory, does what is asked of it at once, and counts; for load, not for truth.

``tests/unit/policy/simulator.py`` is as strict as Synapse; this one only remembers what a look at a room shows.
"""

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from bridge.model.effect import CreateRoom
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, RoomID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import Bots


class CountingHomeserver:
    """Implements what reconcile needs of the port ``Homeserver``; ``calls`` counts requests by act."""

    def __init__(self, bots: Bots) -> None:
        self.calls: Counter[str] = Counter()
        self._bots = bots
        self._rooms: dict[RoomID, dict[tuple[str, str], MatrixEvent]] = {}
        self._numbers = itertools.count(1)

    async def register(self, user_id: UserID) -> None:
        """Count an account."""
        assert user_id
        self.calls["register"] += 1

    async def set_display_name(self, user_id: UserID, display_name: str) -> None:
        """Count a name."""
        assert user_id
        assert display_name
        self.calls["set_display_name"] += 1

    async def set_avatar(self, user_id: UserID, avatar_url: str) -> None:
        """Count a picture."""
        assert user_id
        assert avatar_url
        self.calls["set_avatar"] += 1

    async def create_room(self, effect: CreateRoom) -> RoomID:
        """Make a room with its creator in it and its other bots invited."""
        self.calls["create_room"] += 1
        room_id = RoomID(f"!{next(self._numbers)}")
        self._rooms[room_id] = {}
        self._put(room_id, "m.room.create", "", self._bots.creator, effect.creation_content)
        for event_type, state_key, content in effect.state:
            self._put(room_id, event_type, state_key, self._bots.creator, content)
        self._put(room_id, "m.room.member", self._bots.creator, self._bots.creator, {"membership": "join"})
        for bot in effect.bots:
            self._put(room_id, "m.room.member", bot, self._bots.creator, {"membership": "invite"})
        return room_id

    async def find_room(
        self, effect: CreateRoom, known: Callable[[Sequence[RoomID]], Awaitable[frozenset[RoomID]]]
    ) -> RoomID | None:
        """Find nothing: nobody dies in a benchmark."""
        assert effect
        assert known
        self.calls["find_room"] += 1
        return None

    async def set_state(self, room_id: RoomID, event_type: str, state_key: str, content: JsonObject) -> EventID:
        """Write a state event."""
        self.calls["set_state"] += 1
        return self._put(room_id, event_type, state_key, self._bots.creator, content)

    async def invite(self, room_id: RoomID, user_id: UserID) -> None:
        """Invite somebody."""
        self.calls["invite"] += 1
        self._put(room_id, "m.room.member", user_id, self._bots.creator, {"membership": "invite"})

    async def join(self, room_id: RoomID, user_id: UserID) -> None:
        """Join somebody."""
        self.calls["join"] += 1
        self._put(room_id, "m.room.member", user_id, user_id, {"membership": "join"})

    async def kick(self, room_id: RoomID, user_id: UserID) -> None:
        """Take somebody out."""
        self.calls["kick"] += 1
        self._put(room_id, "m.room.member", user_id, self._bots.creator, {"membership": "leave"})

    async def room_state(self, room_id: RoomID) -> Sequence[MatrixEvent]:
        """Show a room's state."""
        self.calls["room_state"] += 1
        return list(self._rooms.get(room_id, {}).values())

    def _put(self, room_id: RoomID, event_type: str, state_key: str, sender: UserID, content: JsonObject) -> EventID:
        number = next(self._numbers)
        event = MatrixEvent(
            event_id=EventID(f"${number}"),
            room_id=room_id,
            event_type=event_type,
            sender=sender,
            content=content,
            origin_server_ts=number,
            state_key=state_key,
        )
        self._rooms.setdefault(room_id, {})[event_type, state_key] = event
        return event.event_id
