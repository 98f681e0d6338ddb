"""A reconcile under way: what was made, refused and withheld, and what is foreseen to stand."""

from dataclasses import dataclass, field

from bridge.errors import BitnexusError, HomeserverRefused
from bridge.model.effect import Effect, effect_target
from bridge.model.ids import EffectID, RoomID, RoomKey, TenantID, UserID
from bridge.model.job import JobOutcome, Lane, OpenJob, Result
from bridge.model.room import Bots, Observed
from bridge.policy.foresight import foresee
from bridge.policy.refusal import explain_refusal


@dataclass(slots=True, kw_only=True)
class Run:
    """One job of one tenant, for as long as it is worked on."""

    lane: Lane
    tenant_id: TenantID
    job: OpenJob
    room_ids: dict[RoomKey, RoomID]
    bots: Bots
    revision: int = 0
    observed: Observed = field(default_factory=lambda: Observed(rooms={}, people={}))
    made: list[Effect] = field(default_factory=list[Effect])
    """What was made since rooms were read last: it is counted in, though Matrix has not told us yet."""
    touched: set[RoomID] = field(default_factory=set[RoomID])
    failed: dict[EffectID, str] = field(default_factory=dict[EffectID, str])
    """What was refused or withheld: it is tried once in a job."""
    unreadable: dict[RoomID, str] = field(default_factory=dict[RoomID, str])
    tried_before: frozenset[EffectID] = frozenset()
    """Rooms that an earlier job may have made without knowing."""
    results: list[Result] = field(default_factory=list[Result])
    """What waits to be recorded."""
    recorded_at: float = 0.0
    asked: int = 0
    is_outdated: bool = False
    """Whether something was asked for that the present plan does not know of."""
    retry_after_seconds: float | None = None
    applied: int = 0
    withheld: int = 0

    @property
    def reads_everything(self) -> bool:
        """Whether every room is read first: after an interruption, and when it is asked for."""
        return self.job.is_resumed or self.job.verify

    def viewer_of(self, room_id: RoomID) -> UserID | None:
        """Return who can read a room that our creators have left, as far as we have seen; None where they are in it."""
        room = next((room for room in self.observed.rooms.values() if room.room_id == room_id), None)
        if room is None:
            return None
        room = next(iter(foresee(Observed(rooms={room.key: room}, people={}), self.made, {}, self.bots).rooms.values()))
        inside = {user_id for user_id, seen in room.members.items() if seen.membership == "join"}
        return None if inside & self.bots.creators else min(inside, default=None)

    def is_left(self, effect: Effect) -> bool:
        """Say whether an effect is to be tried still."""
        return effect_target(effect).effect_id not in self.failed

    def may_exist(self, effect: Effect) -> bool:
        """Say whether an earlier attempt may have got further than we know."""
        return self.job.is_resumed or effect_target(effect).effect_id in self.tried_before

    def note_made(self, position: int, effect: Effect, room_id: RoomID | None) -> None:
        """Count an effect in."""
        self.applied += 1
        self.made.append(effect)
        if room_id is not None:
            self.touched.add(room_id)
            key = effect_target(effect).room_key
            if key is not None:
                self.room_ids[key] = room_id
        self.results.append(Result(position=position, effect=effect, room_id=room_id))

    def note_refused(self, position: int, effect: Effect, refusal: BitnexusError) -> None:
        """Note that an effect was refused, and which power we lack where that can be told."""
        target = effect_target(effect)
        room = self.observed.rooms.get(target.room_key) if target.room_key else None
        reason = explain_refusal(effect, room, self.bots) if isinstance(refusal, HomeserverRefused) else None
        error = f"{reason} ({refusal.sentence})" if reason else refusal.sentence
        self.failed[target.effect_id] = error
        self.results.append(Result(position=position, effect=effect, error=error))

    def note_withheld(self, position: int, effect: Effect, seconds: float) -> None:
        """Note that an effect is not made, because somebody undoes it again and again."""
        error = f"not made again: somebody undoes it again and again; the next try is in {seconds:.0f} seconds"
        self.withheld += 1
        self.failed[effect_target(effect).effect_id] = error
        self.retry_after_seconds = min(seconds, self.retry_after_seconds or seconds)
        self.results.append(Result(position=position, effect=effect, error=error, is_withheld=True))

    def outcome(self, *, is_settled: bool) -> JobOutcome:
        """Return how the job ends."""
        keys = {room_id: key for key, room_id in self.room_ids.items()}
        refused = len(self.failed) - self.withheld
        problems = [
            *([f"effects refused: {refused}; each says why"] if refused else []),
            *([f"effects withheld: {self.withheld}, which somebody undoes again and again"] if self.withheld else []),
            *(
                f"the room '{keys.get(room_id, room_id)}' cannot be read: {why}"
                for room_id, why in self.unreadable.items()
            ),
            *([] if is_settled else ["there was more and more to do; it goes on with the next try"]),
        ]
        return JobOutcome(
            revision=self.revision,
            error="; ".join(problems) or None,
            retry_after_seconds=self.retry_after_seconds,
            is_verified=self.reads_everything and not self.unreadable,
        )
