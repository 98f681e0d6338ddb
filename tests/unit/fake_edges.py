"""The world outside, as the ports want it: a homeserver, an assistant, sessions, a clock, entropy."""

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bridge.errors import DependencyDown, HomeserverRefused, UnknownCredential
from bridge.model.credential import SessionCredential
from bridge.model.effect import CreateRoom
from bridge.model.erasure import TimelinePage
from bridge.model.event import MatrixEvent
from bridge.model.ids import AccessToken, DeliveryID, DeviceID, EventID, MemberID, RoomID, TxnID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import MatrixHouse
from bridge.model.session import Login, Turn, VerifiedToken
from bridge.policy.projection import DELIVERY_ID
from tests.unit.people import HOUSE, user
from tests.unit.policy.simulator import Matrix, Refused

T = TypeVar("T")

AWAY = DependencyDown("Synapse does not answer")


def refusal(sentence: str = "Synapse refused", errcode: str = "M_FORBIDDEN") -> HomeserverRefused:
    return HomeserverRefused(sentence, errcode=errcode, http_status=403)


class FakeHomeserver:
    """Matrix behind the port ``Homeserver``; ``fail(act, ...)`` makes the next requests of an act fail in turn."""

    def __init__(self, house: MatrixHouse = HOUSE) -> None:
        self.matrix = Matrix(house=house)
        self.sent: list[tuple[RoomID, UserID, JsonObject, TxnID]] = []
        self.typing: list[bool] = []
        self.logins: list[tuple[UserID, DeviceID | None]] = []
        self.logged_out: list[DeviceID] = []
        self.logged_out_everywhere: list[UserID] = []
        self.timelines: dict[RoomID, list[tuple[EventID, UserID]]] = {}
        self.membership_events: dict[tuple[RoomID, UserID], list[EventID]] = {}
        self.redacted: list[tuple[RoomID, EventID]] = []
        self.deactivated: list[UserID] = []
        self.kept: dict[tuple[UserID, str], JsonObject] = {}
        self.searches = 0
        self.after_state: Callable[[], None] = lambda: None
        self.looked_since: list[datetime] = []
        self.is_writable = True
        self._failures: dict[str, list[Exception | None]] = defaultdict(list)
        self._known_txns: dict[tuple[RoomID, TxnID], EventID] = {}
        self._numbers = itertools.count(1)

    def fail(self, act: str, *failures: Exception | None) -> None:
        self._failures[act].extend(failures)

    def _may_fail(self, act: str) -> None:
        failures = self._failures[act]
        if failures and (failure := failures.pop(0)):
            raise failure

    async def register(self, user_id: UserID) -> None:
        self._may_fail("register")
        self.matrix.register(user_id)

    async def set_display_name(self, user_id: UserID, display_name: str) -> None:
        self._may_fail("set_display_name")
        self._do(lambda: self.matrix.set_display_name(user_id, display_name))

    async def set_avatar(self, user_id: UserID, avatar_url: str) -> None:
        self._may_fail("set_avatar")
        self._do(lambda: self.matrix.set_avatar(user_id, avatar_url))

    async def create_room(self, effect: CreateRoom) -> RoomID:
        self._may_fail(f"create_room {effect.room_key}")
        made = self._do(lambda: self.matrix.create_room(effect))
        self._may_fail(f"answer create_room {effect.room_key}")
        return made

    async def find_room(
        self, effect: CreateRoom, known: Callable[[Sequence[RoomID]], Awaitable[frozenset[RoomID]]]
    ) -> RoomID | None:
        self.searches += 1
        needs_no_look = await known(list(self.matrix.rooms))
        for room_id, room in self.matrix.rooms.items():
            birth = room.state["m.room.create", ""]
            if room_id not in needs_no_look and birth == effect.creation_content:
                return room_id
        return None

    async def set_state(self, room_id: RoomID, event_type: str, state_key: str, content: JsonObject) -> EventID:
        self._may_fail(f"set_state {event_type}")
        self._do(lambda: self.matrix.set_state(room_id, event_type, state_key, content))
        return EventID(f"${next(self._numbers)}")

    async def invite(
        self,
        room_id: RoomID,
        user_id: UserID,
        *,
        inviter: UserID | None = None,
        is_direct: bool = False,  # noqa: ARG002 - for clients alone
    ) -> None:
        self._may_fail("invite")
        self._do(lambda: self.matrix.invite(room_id, user_id, inviter=inviter))

    async def account_data(self, user_id: UserID, data_type: str) -> JsonObject:
        self._may_fail("account_data")
        return self.kept.get((user_id, data_type), {})

    async def set_account_data(self, user_id: UserID, data_type: str, content: JsonObject) -> None:
        self._may_fail("set_account_data")
        self.kept[user_id, data_type] = content

    async def leave(self, room_id: RoomID, user_id: UserID) -> None:
        self._may_fail(f"leave {user_id}")
        self._do(lambda: self.matrix.leave(room_id, user_id))

    async def join(self, room_id: RoomID, user_id: UserID) -> None:
        self._may_fail(f"join {user_id}")
        self._do(lambda: self.matrix.join(room_id, user_id))

    async def kick(self, room_id: RoomID, user_id: UserID) -> None:
        self._may_fail("kick")
        self._do(lambda: self.matrix.kick(room_id, user_id))

    async def room_state(self, room_id: RoomID, *, viewer: UserID | None = None) -> Sequence[MatrixEvent]:
        self._may_fail("room_state")
        self._do(lambda: self.matrix.look(room_id, viewer))
        self.after_state()
        number = next(self._numbers)
        room = self.matrix.rooms[room_id]
        state = [(kind, key, content, self.matrix.bots.creator) for (kind, key), content in room.state.items()]
        members = [
            ("m.room.member", who, {"membership": seen.membership}, seen.sender) for who, seen in room.members.items()
        ]
        return [
            MatrixEvent(
                event_id=EventID(f"${number}-{kind}-{key}"),
                room_id=room_id,
                event_type=kind,
                sender=sender,
                content=content,
                origin_server_ts=number,
                state_key=key,
            )
            for kind, key, content, sender in state + members
        ]

    async def send(
        self, room_id: RoomID, sender: UserID, event_type: str, content: JsonObject, *, txn_id: TxnID
    ) -> EventID:
        assert event_type == "m.room.message"
        self._may_fail("send")
        # as Synapse does: by path and application service, not by sender
        if (room_id, txn_id) not in self._known_txns:
            self._known_txns[room_id, txn_id] = EventID(f"$sent{len(self.sent) + 1}")
            self.sent.append((room_id, sender, content, txn_id))
        self._may_fail("answer send")
        return self._known_txns[room_id, txn_id]

    async def find_sent(
        self, room_id: RoomID, sender: UserID, delivery_id: DeliveryID, *, since: datetime
    ) -> EventID | None:
        self.looked_since.append(since)
        self._may_fail("find_sent")
        for number, (room, bot, content, _) in enumerate(self.sent, start=1):
            if (room, bot, content.get(DELIVERY_ID)) == (room_id, sender, delivery_id):
                return EventID(f"$sent{number}")
        return None

    async def can_write(self) -> bool:
        return self.is_writable

    def forget_transactions(self) -> None:
        """Do as Synapse does after a day."""
        self._known_txns.clear()

    async def set_typing(self, room_id: RoomID, sender: UserID, *, typing: bool) -> None:
        assert room_id
        assert sender
        self._may_fail("set_typing")
        self.typing.append(typing)

    async def log_in(self, user_id: UserID, device_id: DeviceID | None) -> Login:
        self._may_fail("log_in")
        self.logins.append((user_id, device_id))
        return Login(
            access_token=AccessToken("syt_token"), device_id=device_id or DeviceID("MADE"), expires_in_ms=300_000
        )

    async def log_out(self, user_id: UserID, device_id: DeviceID) -> None:
        assert user_id
        self._may_fail("log_out")
        self.logged_out.append(device_id)

    async def timeline(
        self, room_id: RoomID, *, sender: UserID | None, position: str | None, limit: int
    ) -> TimelinePage:
        self._may_fail("timeline")
        said = [event_id for event_id, who in self.timelines.get(room_id, ()) if sender in {None, who}]
        start = int(position or 0)
        piece = said[start : start + limit]
        following = str(start + limit) if start + limit < len(said) else None
        return TimelinePage(
            event_ids=tuple(event_id for event_id in piece if (room_id, event_id) not in self.redacted),
            next_position=following,
        )

    async def memberships(self, room_id: RoomID, user_id: UserID, *, position: str | None, limit: int) -> TimelinePage:
        self._may_fail("memberships")
        assert limit > 0
        found = self.membership_events.get((room_id, user_id), [])
        start = int(position or 0)
        event_ids = tuple(found[start : start + 1])
        return TimelinePage(event_ids=event_ids, next_position=str(start + 1) if start + 1 < len(found) else None)

    async def redact(self, room_id: RoomID, event_id: EventID) -> None:
        self._may_fail("redact")
        self.redacted.append((room_id, event_id))

    async def deactivate(self, user_id: UserID) -> None:
        self._may_fail("deactivate")
        self.deactivated.append(user_id)

    async def log_out_everywhere(self, user_id: UserID) -> None:
        self._may_fail("log_out_everywhere")
        self.logged_out_everywhere.append(user_id)

    @staticmethod
    def _do(act: Callable[[], T]) -> T:
        try:
            return act()
        except Refused as error:
            raise refusal(str(error)) from error


class FakeAssistant:
    """A model that says what it was told to; an exception among the pieces cuts it short."""

    name, model = "NexusHub", "tiny"

    def __init__(self, *pieces: str | Exception, is_configured: bool = True) -> None:
        self.pieces, self.is_configured = pieces, is_configured
        self.asked: list[list[Turn]] = []
        self.between: Callable[[], None] = lambda: None

    async def answer(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        self.asked.append(list(turns))
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            self.between()
            yield piece


class FakeClock:
    """A clock that goes on when it is told to."""

    def __init__(self, now: datetime | None = None) -> None:
        self.time, self.seconds = now or datetime(2026, 11, 23, 12, tzinfo=UTC), 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def pass_seconds(self, seconds: float) -> None:
        self.seconds += seconds
        self.time += timedelta(seconds=seconds)


class FakeEntropy:
    """Values that are all different, and guessable."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def localpart(self) -> str:
        return f"u_made{next(self._numbers)}"

    def token(self) -> str:
        return f"token-{next(self._numbers)}-of-the-tests"


class FakeExpiry:
    """Our module in the homeserver; ``before_answer`` is what happens while it is being told."""

    def __init__(self) -> None:
        self.expired: set[UserID] = set()
        self.told: list[tuple[list[UserID], list[UserID]]] = []
        self.failures: list[Exception] = []
        self.before_answer: Callable[[], None] = lambda: None

    async def put(self, *, expired: Collection[UserID], restored: Collection[UserID]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.told.append((sorted(expired), sorted(restored)))
        self.expired = (self.expired | set(expired)) - set(restored)
        self.before_answer()


class FakeSessions:
    """Sessions in memory; implements the port ``Sessions``."""

    def __init__(self) -> None:
        self.epochs: dict[MemberID, int] = {}
        self.opened: dict[bytes, tuple[MemberID, DeviceID, datetime]] = {}
        self.removed: list[str] = []
        self.used: set[tuple[str, str]] = set()

    async def epoch(self, member_id: MemberID) -> int:
        return self.epochs.get(member_id, 0)

    async def add(
        self, *, token_sha256: bytes, member_id: MemberID, device_id: DeviceID, expires_at: datetime, epoch: int
    ) -> bool:
        if epoch != self.epochs.get(member_id, 0):
            return False
        self.opened[token_sha256] = (member_id, device_id, expires_at)
        return True

    async def find(self, token_sha256: bytes) -> SessionCredential | None:
        found = self.opened.get(token_sha256)
        if found is None:
            return None
        return SessionCredential(
            session_id=token_sha256.hex(), member_id=found[0], user_id=user(found[0]), device_id=found[1]
        )

    async def remove(self, session_id: str) -> None:
        self.removed.append(session_id)
        self.opened.pop(bytes.fromhex(session_id), None)

    async def use_token_once(self, *, iss: str, jti: str, expires_at: datetime) -> bool:
        assert expires_at.tzinfo is not None
        is_new = (iss, jti) not in self.used
        self.used.add((iss, jti))
        return is_new

    async def forget_token(self, *, iss: str, jti: str) -> None:
        self.used.discard((iss, jti))


class FakeVerifier:
    """Takes a person's id for their token; what begins with ``bad`` is no token."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def verify(self, token: str) -> VerifiedToken:
        if token.startswith("bad"):
            raise UnknownCredential("this token is not accepted")
        member_id, _, jti = token.partition("/")
        expires_at = self._clock.now() + timedelta(minutes=1)
        return VerifiedToken(iss="bitnexus", jti=jti, member_id=MemberID(member_id), expires_at=expires_at)
