"""Why somebody is or is not in a room, and with which power: a chain of reasons, from the tenant down to Matrix."""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.model.alliance import Alliance
from bridge.model.effect import CreateRoom, Effect, JoinUser, RemoveUser, SetState
from bridge.model.ids import SPACE, MemberID, RoomID, RoomKey, UserID, group_of_key
from bridge.model.room import Bots, Desired, DesiredRoom, Membership, Observed, ObservedMembership, ObservedRoom
from bridge.model.tenant import Access, Audience, Member, Room, Tenant, TenantStatus
from bridge.policy.alliances import sentences
from bridge.policy.membership import answers
from bridge.policy.power_levels import LEVELS, level_of
from bridge.policy.templates import TEMPLATES

_LEVELS_TYPE = "m.room.power_levels"

_TENANT = {
    TenantStatus.ACTIVE: "the tenant is active",
    TenantStatus.SUSPENDED: "the tenant is suspended: nobody can use its rooms, and who has another one is out of them",
    TenantStatus.ARCHIVED: "the tenant is archived: nobody is in its rooms",
    TenantStatus.REMOVING: "the tenant is being removed: everybody is taken out of its rooms",
    TenantStatus.REMOVED: "the tenant was removed",
}
_STANDING = {
    "join": "they are in the room",
    "invite": "they are invited and not in the room",
    "knock": "they have knocked and are not in the room",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One link of the chain; ``by`` is whom else it is about."""

    code: str
    sentence: str
    by: UserID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that is known about one person and one room; ``user_id`` is None for whom the tenant does not know."""

    tenant: Tenant
    desired: Desired
    observed: Observed
    effects: tuple[Effect, ...]
    bots: Bots
    member_id: MemberID
    user_id: UserID | None
    room_key: RoomKey
    alliance: Alliance | None = None
    """The alliance whose room it is."""

    @property
    def member(self) -> Member | None:
        """Their membership of the tenant."""
        return next((found for found in self.tenant.members if found.member_id == self.member_id), None)

    @property
    def listed(self) -> Room | None:
        """The room as the tenant lists it; None for its space and for groups."""
        return next((room for room in self.tenant.rooms if room.key == self.room_key), None)

    @property
    def wanted(self) -> DesiredRoom | None:
        """The room as it shall stand; None when it was archived before it was made."""
        return self.desired.rooms.get(self.room_key)

    @property
    def standing(self) -> ObservedRoom | None:
        """The room as it stands."""
        return self.observed.rooms.get(self.room_key)

    @property
    def belongs(self) -> bool:
        """Whether they shall be in the room."""
        return self.user_id is not None and self.wanted is not None and self.user_id in self.wanted.people

    def seen_in(self, key: RoomKey) -> ObservedMembership | None:
        """Return their membership of a room as it was last seen."""
        room = self.observed.rooms.get(key)
        return room.members.get(self.user_id) if room and self.user_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer: what shall be, what is, and the chain of reasons; ``effects`` would make them equal."""

    member_id: MemberID
    user_id: UserID | None
    room_key: RoomKey
    room_id: RoomID | None
    belongs: bool
    membership: Membership | None
    desired_level: int | None
    observed_level: int | None
    reasons: tuple[Reason, ...]
    effects: tuple[Effect, ...]


def explain(asked: Question) -> Explanation:
    """Return why things are as they are, and what would change them."""
    seen = asked.seen_in(asked.room_key)
    effects = tuple(effect for effect in asked.effects if _is_about(effect, asked))
    return Explanation(
        member_id=asked.member_id,
        user_id=asked.user_id,
        room_key=asked.room_key,
        room_id=asked.standing.room_id if asked.standing else None,
        belongs=asked.belongs,
        membership=seen.membership if seen else None,
        desired_level=_desired_level(asked),
        observed_level=_observed_level(asked),
        reasons=(
            *_of_tenant(asked),
            *_of_alliance(asked),
            *_of_room(asked),
            *_of_matrix(asked),
            *_of_power(asked),
            *_of_plan(effects),
        ),
        effects=effects,
    )


def _of_tenant(asked: Question) -> Iterator[Reason]:
    status, member = asked.tenant.status, asked.member
    yield Reason(code=f"tenant_{status.value}", sentence=_TENANT[status])
    if member is None:
        yield Reason(code="not_a_member", sentence="this person is not in the tenant")
        if asked.listed is not None and any(who.member_id == asked.member_id for who in asked.listed.outsiders):
            sentence = "the room has them as somebody from outside the tenant"
            yield Reason(code="outsider_in_room", sentence=sentence)
        return
    yield Reason(code="member_of_tenant", sentence=f"they are in the tenant, as {member.role.value}")
    if not member.active:
        yield Reason(code="person_suspended", sentence="they are suspended: they are in no room of any tenant")
    if status is TenantStatus.SUSPENDED and member.active:
        if member.has_other_active_tenant:
            sentence = "they have another active tenant, so they are out of this one's rooms until it is active again"
            yield Reason(code="has_other_active_tenant", sentence=sentence)
        else:
            sentence = "they have no other active tenant, so they stay in the rooms and are refused everywhere"
            yield Reason(code="no_other_active_tenant", sentence=sentence)


def _of_alliance(asked: Question) -> Iterator[Reason]:
    if asked.alliance is not None:
        for code, sentence in sentences(asked.alliance, asked.member_id):
            yield Reason(code=code, sentence=sentence)


def _of_room(asked: Question) -> Iterator[Reason]:
    room, member = asked.listed, asked.member
    if room is None:
        yield from _of_space(asked)
    elif room.archived:
        yield Reason(code="room_archived", sentence="the room is archived: nobody is in it")
    elif room.audience is not None:
        yield _of_ticket(room, room.audience, asked)
    elif room.access is Access.TENANT:
        optional = "; who leaves it is let go" if room.optional else ""
        yield Reason(code="room_for_everybody", sentence=f"everybody of the tenant belongs in the room{optional}")
    elif member is not None and member.member_id in room.member_ids:
        yield Reason(code="listed_in_room", sentence="the room is for those whom it lists, and it lists them")
    else:
        yield Reason(
            code="not_listed_in_room", sentence="the room is for those whom it lists, and it does not list them"
        )


def _of_ticket(room: Room, audience: Audience, asked: Question) -> Reason:
    if asked.member_id in room.member_ids:
        return Reason(code="ticket_opener", sentence="they opened the ticket whose room it is")
    is_staff = any(outsider.member_id == asked.member_id for outsider in room.outsiders)
    if is_staff or (asked.member is not None and answers(asked.member, room)):
        if audience is Audience.TEAM:
            return Reason(code="ticket_team", sentence="the ticket asks the tenant's team, and they are of it")
        return Reason(code="ticket_bitnexus", sentence="the ticket asks BitNexus's staff, and they are of it")
    return Reason(
        code="ticket_of_others", sentence="the ticket is for its opener and those whom it asks, and they are neither"
    )


def _of_space(asked: Question) -> Iterator[Reason]:
    if asked.wanted is not None and asked.wanted.archived:
        yield Reason(code="group_unused", sentence="no room stands in this group any more: nobody is in it")
    elif group_of_key(asked.room_key) is not None:
        yield Reason(code="group_for_everybody", sentence="everybody of the tenant belongs in its groups")
    else:
        yield Reason(code="space_for_everybody", sentence="everybody of the tenant belongs in its space")


def _of_matrix(asked: Question) -> Iterator[Reason]:
    in_space = asked.seen_in(SPACE)
    if asked.room_key != SPACE and in_space is not None and (by := _excluder(asked, in_space)):
        sentence = "somebody took them out of the tenant's space, which keeps them out of all its rooms"
        yield Reason(code="excluded_from_tenant", sentence=sentence, by=by)
    if asked.standing is None:
        yield Reason(code="room_not_made", sentence="the room does not exist in Matrix")
    else:
        yield _of_membership(asked, asked.seen_in(asked.room_key))


def _of_membership(asked: Question, seen: ObservedMembership | None) -> Reason:
    if seen is None:
        return Reason(code="never_in_room", sentence="they have never been in the room")
    if seen.membership in _STANDING:
        return Reason(code=f"membership_{seen.membership}", sentence=_STANDING[seen.membership])
    if by := _excluder(asked, seen):
        verb = "banned" if seen.membership == "ban" else "kicked"
        return Reason(code=verb, sentence=f"somebody {verb} them, and that stands until it is undone", by=by)
    if seen.sender in asked.bots.all:
        return Reason(
            code="taken_out_by_us", sentence="we took them out, when they did not belong there", by=seen.sender
        )
    if asked.belongs and asked.wanted is not None and asked.wanted.takes_back:
        return Reason(code="left_and_comes_back", sentence="they left by themselves; the room takes them back")
    return Reason(code="left_and_is_let_go", sentence="they left by themselves, and the room lets them go")


def _excluder(asked: Question, seen: ObservedMembership) -> UserID | None:
    """Return who excluded them by a ban or a kick; our own removals exclude nobody."""
    is_kick = seen.membership == "leave" and seen.sender != asked.user_id and seen.sender not in asked.bots.all
    return seen.sender if is_kick or seen.membership == "ban" else None


def _of_power(asked: Question) -> Iterator[Reason]:
    desired, observed, member = _desired_level(asked), _observed_level(asked), asked.member
    if desired is None or member is None:
        return
    if asked.listed is not None and not TEMPLATES[asked.listed.type].has_staff:
        yield Reason(code="power_of_nobody", sentence="in a room of two tenants nobody has power over others")
    elif desired < LEVELS[member.role]:
        yield Reason(code="power_list_full", sentence="the room lists as many people with power as it can hold")
    else:
        yield Reason(code="power_of_role", sentence=f"as {member.role.value} their power level is {desired}")
    if observed is not None and observed != desired:
        yield Reason(code="power_differs", sentence=f"in Matrix their power level is {observed}")


def _of_plan(effects: tuple[Effect, ...]) -> Iterator[Reason]:
    kinds = {type(effect) for effect in effects}
    if JoinUser in kinds:
        yield Reason(code="join_pending", sentence="reconcile is about to bring them into the room")
    if RemoveUser in kinds:
        yield Reason(code="removal_pending", sentence="reconcile is about to take them out of the room")
    if SetState in kinds:
        yield Reason(code="power_pending", sentence="reconcile is about to change their power level")
    if CreateRoom in kinds:
        yield Reason(code="room_pending", sentence="reconcile is about to make the room")


def _is_about(effect: Effect, asked: Question) -> bool:
    match effect:
        case JoinUser() | RemoveUser():
            return (effect.room_key, effect.user_id) == (asked.room_key, asked.user_id)
        case SetState(event_type=event_type):
            is_theirs = asked.belongs or _observed_level(asked) not in {None, 0}
            return (
                event_type == _LEVELS_TYPE
                and effect.room_key == asked.room_key
                and is_theirs
                and asked.user_id is not None
                and level_of(asked.user_id, effect.content) != _observed_level(asked)
            )
        case CreateRoom():
            return effect.room_key == asked.room_key
        case _:
            return False


def _desired_level(asked: Question) -> int | None:
    if not asked.belongs or asked.wanted is None or asked.user_id is None:
        return None
    return level_of(asked.user_id, asked.wanted.state[_LEVELS_TYPE, ""])


def _observed_level(asked: Question) -> int | None:
    if asked.standing is None or asked.user_id is None:
        return None
    levels = asked.standing.state.get((_LEVELS_TYPE, ""))
    return None if levels is None else level_of(asked.user_id, levels)
