"""The Matrix acts that we make, as our bots or in the name of people; implements the port ``Homeserver``."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, cast

import aiohttp
from mautrix.api import HTTPAPI, Method, Path, PathBuilder
from mautrix.errors import MatrixConnectionError, MatrixRequestError

from bridge.errors import DependencyBusy, DependencyDown, DependencyFailed, HomeserverRefused
from bridge.matrix.events import parse_event
from bridge.model.effect import CreateRoom
from bridge.model.erasure import TimelinePage
from bridge.model.event import MatrixEvent
from bridge.model.ids import AccessToken, DeliveryID, DeviceID, EventID, RoomID, TxnID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import MatrixHouse
from bridge.model.session import Login
from bridge.policy.layout import CREATION_KEY, CREATION_TENANT
from bridge.policy.projection import delivery_of
from bridge.telemetry import MATRIX_REQUESTS

BOT_DEVICE = DeviceID("BITNEXUS")
"""Every bot has this device: with one, Synapse remembers transaction ids in its database, not only in memory."""

_TYPING_MS = 30_000
_TIMELINE_PAGE, _TIMELINE_PAGES = 100, 100
_CLOCK_SKEW_MS = 300_000  # between PostgreSQL's clock and Synapse's
_FROM_INSIDE = frozenset({"send", "find_sent"})
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.UNAUTHORIZED})


async def obey_rate_limit(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Say of a request that was limited how long to wait: mautrix's error does not."""
    response = await handler(request)
    if response.status != HTTPStatus.TOO_MANY_REQUESTS:
        return response
    async with response:
        try:
            wait_ms = int((await response.json(content_type=None))["retry_after_ms"])
        except (ValueError, KeyError, TypeError, aiohttp.ClientError):
            wait_ms = 1000
    raise DependencyBusy("Synapse limits us", retry_after_ms=max(wait_ms, 1))


class SynapseHomeserver:
    """Synapse's client-server API, with the application service's token."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        address: str,
        as_token: str,
        house: MatrixHouse,
        *,
        appservice_id: str,
        on_trouble: Callable[[], None],
    ) -> None:
        self._on_trouble = on_trouble
        self._session, self._address, self._as_token = session, address, as_token
        self._house, self._appservice_id = house, appservice_id
        self._apis: dict[UserID, HTTPAPI] = {bot: self._api(bot, BOT_DEVICE) for bot in house.bots.all}

    def _api(self, user_id: UserID, device_id: DeviceID | None = None) -> HTTPAPI:
        return HTTPAPI(
            self._address,
            self._as_token,
            client_session=self._session,
            as_user_id=user_id,
            as_device_id=device_id,  # type: ignore[arg-type] # mautrix names the wrong id type here
        )

    async def _request(
        self,
        act: str,
        user_id: UserID,
        method: Method,
        path: PathBuilder,
        content: Any = None,
        *,
        query: dict[str, str] | None = None,
        with_device: bool = True,
    ) -> Any:
        """Make a request in a user's name; a bot's names its device too, which is refused while it has none."""
        api = self._apis.get(user_id) if with_device else None
        api = api or self._api(user_id)
        try:
            is_sensitive = method is not Method.GET
            # mautrix leaves the type of its JSON open
            request = cast("Callable[..., Awaitable[Any]]", api.request)  # pyright: ignore[reportUnknownMemberType]
            answer = await request(method, path, content=content, query_params=query, sensitive=is_sensitive)
        except DependencyBusy:
            MATRIX_REQUESTS.labels(act, "limited").inc()
            raise
        except MatrixRequestError as error:
            MATRIX_REQUESTS.labels(act, "refused").inc()
            if error.errcode == "M_UNKNOWN_DEVICE" and user_id in self._house.bots.all:
                await self._ensure_device(user_id)
                raise DependencyDown(f"a bot had lost its device, which it has again ({act})") from error
            raise _our_error(act, error) from error
        except (MatrixConnectionError, aiohttp.ClientError, TimeoutError, OSError) as error:
            MATRIX_REQUESTS.labels(act, "unanswered").inc()
            self._on_trouble()
            raise DependencyDown(f"Synapse does not answer ({act}): {type(error).__name__}") from error
        MATRIX_REQUESTS.labels(act, "done").inc()
        return answer

    async def is_ready(self) -> bool:
        """Say whether Synapse answers now."""
        try:
            await self._request("versions", self._house.bots.creator, Method.GET, Path.versions)
        except (DependencyDown, HomeserverRefused):
            return False
        return True

    async def prepare_bots(self, display_names: dict[UserID, str]) -> None:
        """Make our bots with their device and name, where they are not there yet."""
        results = await asyncio.gather(
            *(self._prepare_bot(bot, display_names.get(bot)) for bot in sorted(self._house.bots.all)),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _prepare_bot(self, bot: UserID, display_name: str | None) -> None:
        try:
            shown = await self._display_name(bot)
        except HomeserverRefused:  # it has no account yet
            await self.register(bot)
            shown = None
        await self._ensure_device(bot)
        if display_name is not None and shown != display_name:
            await self.set_display_name(bot, display_name)

    async def _ensure_device(self, bot: UserID) -> None:
        devices = await self._request("list_devices", bot, Method.GET, Path.v3.devices, with_device=False)
        if all(device["device_id"] != BOT_DEVICE for device in devices["devices"]):
            await self.log_in(bot, BOT_DEVICE)

    async def _display_name(self, bot: UserID) -> str | None:
        profile = await self._request("profile", bot, Method.GET, Path.v3.profile[bot], with_device=False)
        return cast("str | None", profile.get("displayname"))

    async def ping(self) -> None:
        """Ask Synapse to ping us back, at which it delivers its backlog at once (MSC2659, Matrix 1.7)."""
        path = Path.v1.appservice[self._appservice_id].ping
        await self._request("ping", self._house.bots.creator, Method.POST, path, {}, with_device=False)

    async def register(self, user_id: UserID) -> None:
        """Create an account; one that exists is as good."""
        localpart = user_id[1:].partition(":")[0]
        content = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._request("register", self._house.bots.creator, Method.POST, Path.v3.register, content)
        except HomeserverRefused as error:
            if error.homeserver_errcode != "M_USER_IN_USE":
                raise

    async def set_display_name(self, user_id: UserID, display_name: str) -> None:
        """Set a display name in the user's own name."""
        path = Path.v3.profile[user_id].displayname
        await self._request("set_display_name", user_id, Method.PUT, path, {"displayname": display_name})

    async def set_avatar(self, user_id: UserID, avatar_url: str) -> None:
        """Set a picture in the user's own name; an empty address takes it away."""
        path = Path.v3.profile[user_id].avatar_url
        await self._request("set_avatar", user_id, Method.PUT, path, {"avatar_url": avatar_url})

    async def create_room(self, effect: CreateRoom) -> RoomID:
        """Create a room as the creator; the other bots are invited."""
        creator = self._house.bots.creator
        content = {
            "visibility": "private",
            "preset": "private_chat",
            "room_version": self._house.room_version,
            "creation_content": effect.creation_content,
            "initial_state": [
                {"type": kind, "state_key": key, "content": content} for kind, key, content in effect.state
            ],
            "invite": list(effect.bots),
        }
        answer = await self._request("create_room", creator, Method.POST, Path.v3.createRoom, content)
        return RoomID(answer["room_id"])

    async def find_room(
        self, effect: CreateRoom, known: Callable[[Sequence[RoomID]], Awaitable[frozenset[RoomID]]]
    ) -> RoomID | None:
        """Look through the creator's rooms that are nobody's for the one that this effect made."""
        creator = self._house.bots.creator
        joined = await self._request("joined_rooms", creator, Method.GET, Path.v3.joined_rooms)
        room_ids = [RoomID(room_id) for room_id in joined["joined_rooms"]]
        needs_no_look = await known(room_ids)
        wanted = (effect.creation_content[CREATION_TENANT], effect.creation_content[CREATION_KEY])
        for room_id in room_ids:
            if room_id in needs_no_look:
                continue
            birth = await self._request(
                "room_create_event", creator, Method.GET, Path.v3.rooms[room_id].state["m.room.create"]
            )
            if (birth.get(CREATION_TENANT), birth.get(CREATION_KEY)) == wanted:
                return room_id
        return None

    async def set_state(self, room_id: RoomID, event_type: str, state_key: str, content: JsonObject) -> EventID:
        """Write a state event as the creator."""
        path = Path.v3.rooms[room_id].state[event_type][state_key]
        answer = await self._request("set_state", self._house.bots.creator, Method.PUT, path, content)
        return EventID(answer["event_id"])

    async def invite(
        self, room_id: RoomID, user_id: UserID, *, inviter: UserID | None = None, is_direct: bool = False
    ) -> None:
        """Invite a user in somebody's name, else as the creator, and the creator itself as the keeper."""
        bots = self._house.bots
        inviter = inviter or (bots.keeper if user_id == bots.creator else bots.creator)
        if is_direct:  # which the invitation API has no field for
            path = Path.v3.rooms[room_id].state["m.room.member"][user_id]
            await self._request("invite", inviter, Method.PUT, path, {"membership": "invite", "is_direct": True})
        else:
            await self._request("invite", inviter, Method.POST, Path.v3.rooms[room_id].invite, {"user_id": user_id})

    async def leave(self, room_id: RoomID, user_id: UserID) -> None:
        """Leave a room in the user's own name; not being in it is as good."""
        try:
            await self._request("leave", user_id, Method.POST, Path.v3.rooms[room_id].leave, {})
        except HomeserverRefused as error:
            if error.http_status not in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
                raise

    async def join(self, room_id: RoomID, user_id: UserID) -> None:
        """Join a room in the user's own name; being in it already is as good."""
        await self._request("join", user_id, Method.POST, Path.v3.rooms[room_id].join, {})

    async def kick(self, room_id: RoomID, user_id: UserID) -> None:
        """Take a user out of a room, or an invitation back; one who is not in it is as good."""
        path = Path.v3.rooms[room_id].kick
        try:
            await self._request("kick", self._house.bots.creator, Method.POST, path, {"user_id": user_id})
        except HomeserverRefused as error:
            if "not in the room" not in error.sentence.lower():
                raise

    async def room_state(self, room_id: RoomID, *, viewer: UserID | None = None) -> Sequence[MatrixEvent]:
        """Return the whole current state of a room, as the creator sees it, or the keeper where it is not in it.

        A ``viewer`` looks instead where neither is inside: to whom has left Synapse shows what stood when they left.
        """
        bots, path = self._house.bots, Path.v3.rooms[room_id].state
        try:
            events = await self._request("room_state", viewer or bots.creator, Method.GET, path)
        except HomeserverRefused:
            events = await self._request("room_state", bots.creator if viewer else bots.keeper, Method.GET, path)
        return [parse_event({**event, "room_id": room_id}) for event in events]

    async def send(
        self, room_id: RoomID, sender: UserID, event_type: str, content: JsonObject, *, txn_id: TxnID
    ) -> EventID:
        """Send an event; the same transaction id again answers the same event."""
        path = Path.v3.rooms[room_id].send[event_type][txn_id]
        answer = await self._request("send", sender, Method.PUT, path, content)
        return EventID(answer["event_id"])

    async def find_sent(
        self, room_id: RoomID, sender: UserID, delivery_id: DeliveryID, *, since: datetime
    ) -> EventID | None:
        """Look for the event with this delivery id; raises HomeserverRefused when too many came since."""
        oldest = since.timestamp() * 1000 - _CLOCK_SKEW_MS
        sift = json.dumps({"senders": [sender], "not_types": ["m.room.member"]})
        query = {"dir": "b", "limit": str(_TIMELINE_PAGE), "filter": sift}
        path = Path.v3.rooms[room_id].messages
        for _ in range(_TIMELINE_PAGES):
            page = await self._request("find_sent", sender, Method.GET, path, query=query)
            events = [parse_event({**event, "room_id": room_id}) for event in page["chunk"]]
            for event in events:
                if delivery_of(event) == delivery_id:
                    return event.event_id
            if "end" not in page or any(event.origin_server_ts < oldest for event in events):
                return None
            query["from"] = page["end"]
        raise HomeserverRefused(
            "whether this was sent before cannot be told: the room has too many messages since",
            errcode="M_LIMIT_EXCEEDED",
            http_status=HTTPStatus.TOO_MANY_REQUESTS,
        )

    async def can_write(self) -> bool:
        """Say whether Synapse stores something now: an entry in the creator's own account data."""
        creator = self._house.bots.creator
        path = Path.v3.user[creator].account_data["com.bitnexus.probe"]
        try:
            await self._request("probe", creator, Method.PUT, path, {"nonce": secrets.token_hex(8)})
        except (DependencyDown, HomeserverRefused):
            return False
        return True

    async def set_typing(self, room_id: RoomID, sender: UserID, *, typing: bool) -> None:
        """Show or hide that a bot is typing; it hides by itself after 30 seconds."""
        content = {"typing": True, "timeout": _TYPING_MS} if typing else {"typing": False}
        await self._request("typing", sender, Method.PUT, Path.v3.rooms[room_id].typing[sender], content)

    async def log_in(self, user_id: UserID, device_id: DeviceID | None) -> Login:
        """Log a user in without a password, with an access token that expires where Synapse is set so."""
        content: dict[str, Any] = {
            "type": "m.login.application_service",
            "identifier": {"type": "m.id.user", "user": user_id},
            "refresh_token": user_id not in self._house.bots.all,
            "initial_device_display_name": "BitNexus",
        }
        if device_id is not None:
            content["device_id"] = device_id
        creator = self._house.bots.creator
        answer = await self._request("log_in", creator, Method.POST, Path.v3.login, content, with_device=False)
        return Login(
            access_token=AccessToken(answer["access_token"]),
            device_id=DeviceID(answer["device_id"]),
            expires_in_ms=answer.get("expires_in_ms"),
        )

    async def log_out(self, user_id: UserID, device_id: DeviceID) -> None:
        """Delete a device of a user, and the tokens that belong to it; one that is gone is as good."""
        try:
            await self._request("log_out", user_id, Method.DELETE, Path.v3.devices[device_id], {})
        except HomeserverRefused as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise

    async def timeline(
        self, room_id: RoomID, *, sender: UserID | None, position: str | None, limit: int
    ) -> TimelinePage:
        """Return a piece of a room's timeline as the creator sees it, without what is redacted or has no content."""
        sift: dict[str, Any] = {"not_types": ["m.room.create", "m.room.redaction"]}
        if sender is not None:
            sift["senders"] = [sender]
        return await self._piece(room_id, sift, _says_something, position=position, limit=limit)

    async def memberships(self, room_id: RoomID, user_id: UserID, *, position: str | None, limit: int) -> TimelinePage:
        """Return a piece of a room's memberships: those of one user that are not redacted, whoever has set them."""

        def is_theirs(event: dict[str, Any]) -> bool:
            return event["state_key"] == user_id and not _is_redacted(event)

        return await self._piece(room_id, {"types": ["m.room.member"]}, is_theirs, position=position, limit=limit)

    async def _piece(
        self,
        room_id: RoomID,
        sift: dict[str, Any],
        is_wanted: Callable[[dict[str, Any]], bool],
        *,
        position: str | None,
        limit: int,
    ) -> TimelinePage:
        query = {"dir": "b", "limit": str(limit), "filter": json.dumps(sift)}
        if position is not None:
            query["from"] = position
        path = Path.v3.rooms[room_id].messages
        page = await self._request("timeline", self._house.bots.creator, Method.GET, path, query=query)
        return TimelinePage(
            event_ids=tuple(EventID(event["event_id"]) for event in page["chunk"] if is_wanted(event)),
            next_position=page.get("end"),
        )

    async def account_data(self, user_id: UserID, data_type: str) -> JsonObject:
        """Return what a person's clients keep under a type; empty where they keep nothing."""
        path = Path.v3.user[user_id].account_data[data_type]
        try:
            return cast("JsonObject", await self._request("account_data", user_id, Method.GET, path))
        except HomeserverRefused as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise
            return {}

    async def set_account_data(self, user_id: UserID, data_type: str, content: JsonObject) -> None:
        """Write account data in a person's own name."""
        path = Path.v3.user[user_id].account_data[data_type]
        await self._request("set_account_data", user_id, Method.PUT, path, content)

    async def redact(self, room_id: RoomID, event_id: EventID) -> None:
        """Redact an event as the creator; the transaction id is made of the event's, so that once is enough."""
        txn_id = "erase_" + hashlib.sha256(event_id.encode()).hexdigest()[:40]
        path = Path.v3.rooms[room_id].redact[event_id][txn_id]
        await self._request("redact", self._house.bots.creator, Method.PUT, path, {})

    async def deactivate(self, user_id: UserID) -> None:
        """End an account for good, as its user; Synapse erases its profile and takes it out of every room."""
        await self._request("deactivate", user_id, Method.POST, Path.v3.account.deactivate, {"erase": True})

    async def log_out_everywhere(self, user_id: UserID) -> None:
        """Delete every device of a user, and every token; waiting syncs return empty."""
        await self._request("log_out_everywhere", user_id, Method.POST, Path.v3.logout.all, {})


def _says_something(event: dict[str, Any]) -> bool:
    """Say whether an event has content to redact: state that holds a room together has none of a person's."""
    is_state_of_the_room = "state_key" in event and event["type"] != "m.room.member"
    return not is_state_of_the_room and not _is_redacted(event) and event["content"].keys() - {"membership"} != set()


def _is_redacted(event: dict[str, Any]) -> bool:
    return "redacted_because" in event.get("unsigned", {})


def _our_error(act: str, error: MatrixRequestError) -> DependencyDown | HomeserverRefused:
    status = error.http_status
    errcode: str = getattr(error, "errcode", None) or "M_UNKNOWN"
    sentence = getattr(error, "message", None) or f"Synapse answered {status}"
    # a bot that is not in: a reconcile is bringing it in, or back in; if none does, that is a failure like any other
    is_outside = status == HTTPStatus.FORBIDDEN and act in _FROM_INSIDE and "not in room" in sentence
    if status == HTTPStatus.INTERNAL_SERVER_ERROR or is_outside:
        return DependencyFailed(f"Synapse failed ({act}, {status} {errcode}): {sentence}")
    if status in _TRANSIENT or status > HTTPStatus.INTERNAL_SERVER_ERROR:
        return DependencyDown(f"Synapse cannot do it now ({act}, {status} {errcode}): {sentence}")
    return HomeserverRefused(f"Synapse refused ({act}, {errcode}): {sentence}", errcode=errcode, http_status=status)
