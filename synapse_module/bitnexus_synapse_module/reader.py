"""Read Synapse's events and room state into the plain data that the rules decide from."""

from typing import Final

from synapse.module_api import EventBase, ModuleApi, StateMap

from bitnexus_synapse_module import rules
from bitnexus_synapse_module.snapshot import MARKER_TYPE, MEMBER_TYPE, Event, Marker, Member, Ours, Room

_MARKER_KEY: Final = (MARKER_TYPE, "")


class StateReader:
    """Reads what one decision needs and no more; state comes from Synapse's caches, in microseconds."""

    def __init__(self, api: ModuleApi, ours: Ours) -> None:
        self._api = api
        self._ours = ours

    def read_event(self, event: EventBase) -> Event:
        """Read an event that is about to be made."""
        # where the redacted event is named depends on the room's version, so both places count
        named = (event.redacts, event.content.get("redacts")) if event.type == "m.room.redaction" else ()
        return Event(
            type=event.type,
            sender=event.sender,
            state_key=event.get_state_key(),
            content=event.content,
            redacts=frozenset(event_id for event_id in named if isinstance(event_id, str)),
        )

    async def read_room_before(self, event: Event, state: StateMap[EventBase]) -> Room:
        """Read the room as it is before ``event``, from the state that Synapse hands over with it."""
        marker = self._read_marker(state)
        protected = _protected(state) if event.redacts else frozenset()
        subject = rules.subject_of(event, self._ours)
        if subject is None:
            return Room(marker=marker, protected_event_ids=protected)
        return Room(
            marker=marker,
            member=_read_member(state, subject),
            in_space=await self._is_in_space(marker, subject),
            protected_event_ids=protected,
        )

    async def read_room(self, room_id: str, user_id: str) -> Room:
        """Read the room's present state as far as decisions about this person need it."""
        state = await self._api.get_room_state(room_id, [_MARKER_KEY, (MEMBER_TYPE, user_id)])
        marker = self._read_marker(state)
        return Room(
            marker=marker,
            member=_read_member(state, user_id),
            in_space=await self._is_in_space(marker, user_id),
        )

    async def _is_in_space(self, marker: Marker | None, user_id: str) -> bool:
        """Say whether the person is joined to the space that the marker names, and that it is its tenant's."""
        if marker is None or marker.space_id is None:
            return False
        state = await self._api.get_room_state(marker.space_id, [_MARKER_KEY, (MEMBER_TYPE, user_id)])
        space, member = self._read_marker(state), _read_member(state, user_id)
        return (
            space is not None
            and space.is_space_of(marker.tenant_id)
            and member is not None
            and member.membership == "join"
        )

    def _read_marker(self, state: StateMap[EventBase]) -> Marker | None:
        event = state.get(_MARKER_KEY)
        return None if event is None else Marker.read(event.sender, event.content, self._ours)


def _read_member(state: StateMap[EventBase], user_id: str) -> Member | None:
    event = state.get((MEMBER_TYPE, user_id))
    return None if event is None else Member.read(event.sender, event.content)


def _protected(state: StateMap[EventBase]) -> frozenset[str]:
    return frozenset(event.event_id for (event_type, _), event in state.items() if rules.is_protected(event_type))
