"""Make one effect happen in Matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from bridge.errors import Conflict, HomeserverRefused
from bridge.model.effect import (
    PENDING_PREFIX,
    CreateRoom,
    Effect,
    JoinUser,
    LeaveRoom,
    RegisterUser,
    RemoveUser,
    SetAvatar,
    SetDisplayName,
    SetState,
    has_pending_room,
    resolve_content,
    resolve_room_id,
)
from bridge.model.ids import RoomID, RoomKey, TenantID
from bridge.policy.layout import room_type_of
from bridge.ports import Database, Homeserver


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyEffect:
    """Apply an effect; doing it twice is as good as once."""

    database: Database
    homeserver: Homeserver

    async def __call__(
        self, tenant_id: TenantID, effect: Effect, room_ids: Mapping[RoomKey, RoomID], *, may_exist: bool
    ) -> RoomID | None:
        """Apply the effect and return the room that it was about, if any.

        ``room_ids`` has the rooms that exist by now; ``may_exist`` says that an earlier attempt may have got further
        than we know. A new room is recorded at once, everything else is left to the caller. Raises HomeserverRefused
        or Conflict for good, DependencyDown for now.
        """
        match effect:
            case RegisterUser(user_id=user_id):
                await self.homeserver.register(user_id)
                return None
            case SetDisplayName(user_id=user_id, display_name=display_name):
                await self.homeserver.set_display_name(user_id, display_name)
                return None
            case SetAvatar(user_id=user_id, avatar_url=avatar_url):
                await self.homeserver.set_avatar(user_id, avatar_url)
                return None
            case CreateRoom():
                return await self._create_room(tenant_id, effect, room_ids, may_exist=may_exist)
            case SetState() | JoinUser() | RemoveUser() | LeaveRoom():
                return await self._change_room(effect, room_ids)
            case _:  # pragma: no cover - the union is closed
                assert_never(effect)

    async def _create_room(
        self, tenant_id: TenantID, effect: CreateRoom, room_ids: Mapping[RoomKey, RoomID], *, may_exist: bool
    ) -> RoomID:
        state = tuple(
            (kind, resolve_room_id(key, room_ids), resolve_content(content, room_ids))
            for kind, key, content in effect.state
        )
        effect = replace(effect, state=state)
        if has_pending_room(effect):
            raise Conflict(f"the room '{effect.room_key}' names a room whose creation failed")
        room_id = await self._find_room(tenant_id, effect) if may_exist else None
        if room_id is None:
            room_id = await self.homeserver.create_room(effect)
        async with self.database.work(tenant_id) as work:
            await work.rooms.record_room(room_id, effect.room_key, room_type_of(effect))
            await work.inbox.recall(room_id)
        for bot in effect.bots:
            await self.homeserver.join(room_id, bot)
        return room_id

    async def _find_room(self, tenant_id: TenantID, effect: CreateRoom) -> RoomID | None:
        """Look for the room that an earlier attempt made; its own events may have made it known this very moment."""

        async def known(room_ids: Sequence[RoomID]) -> frozenset[RoomID]:
            found = await self.database.known_rooms(room_ids)
            async with self.database.work(tenant_id) as work:
                return found - {(await work.rooms.room_ids()).get(effect.room_key)}

        return await self.homeserver.find_room(effect, known)

    async def _change_room(
        self, effect: SetState | JoinUser | RemoveUser | LeaveRoom, room_ids: Mapping[RoomKey, RoomID]
    ) -> RoomID:
        room_id = RoomID(resolve_room_id(effect.room_id, room_ids))
        if room_id.startswith(PENDING_PREFIX):
            raise Conflict(f"the room '{effect.room_key}' does not exist: its creation failed")
        match effect:
            case SetState(event_type=event_type):
                state_key = resolve_room_id(effect.state_key, room_ids)
                if state_key.startswith(PENDING_PREFIX):
                    raise Conflict(f"the room '{state_key.removeprefix(PENDING_PREFIX)}' does not exist yet")
                content = resolve_content(effect.content, room_ids)
                await self.homeserver.set_state(room_id, event_type, state_key, content)
            case JoinUser():
                await self._join(room_id, effect)
            case RemoveUser(user_id=user_id):
                await self.homeserver.kick(room_id, user_id)
            case LeaveRoom(user_id=user_id):
                await self.homeserver.leave(room_id, user_id)
            case _:  # pragma: no cover - the union is closed
                assert_never(effect)
        return room_id

    async def _join(self, room_id: RoomID, effect: JoinUser) -> None:
        refused: HomeserverRefused | None = None
        if effect.invite:
            try:
                await self.homeserver.invite(
                    room_id, effect.user_id, inviter=effect.inviter, is_direct=effect.is_direct
                )
            except HomeserverRefused as error:
                refused = error  # perhaps they are in already: the join tells
        try:
            await self.homeserver.join(room_id, effect.user_id)
        except HomeserverRefused as error:
            raise refused or error from error
