"""Alliances: what each side may say, what comes of it, and the room that follows."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from bridge.errors import Conflict, Forbidden, InvalidInput, MissingInput
from bridge.model.alliance import Alliance, AllianceState, AllianceWish, Step, Verb
from bridge.model.ids import MemberID, TenantID, alliance_key
from bridge.model.job import Job
from bridge.model.tenant import Access, Outsider, Room, RoomType

MOST_CHOSEN = 200
"""How many people a side chooses at most: their ids stand in one event, and ids can be long."""

STEPS: Mapping[Verb, Step] = {"accept": "accepted", "suspend": "suspended", "resume": "resumed", "revoke": "ended"}


def refuse_bad_wish(wish: AllianceWish) -> None:
    """Raise InvalidInput for a wish that no alliance can be."""
    if wish.owner_tenant_id == wish.partner_tenant_id:
        raise InvalidInput("an alliance joins two tenants, not one with itself", path="$.partner_tenant_id")
    for tenant_id, member_ids in wish.members.items():
        if tenant_id not in {wish.owner_tenant_id, wish.partner_tenant_id}:
            raise InvalidInput("members are chosen by the two tenants alone", path=f"$.members.{tenant_id}")
        if len(member_ids) > MOST_CHOSEN:
            raise InvalidInput(f"a side chooses at most {MOST_CHOSEN} people", path=f"$.members.{tenant_id}")


def speaker_of(wish: AllianceWish) -> TenantID:
    """Return the tenant that a person speaks for: the one whose members they give, else the owner; raises Forbidden."""
    if len(wish.members) > 1:
        raise Forbidden("each side chooses its own people; give those of one", path="$.members")
    return next(iter(wish.members), wish.owner_tenant_id)


def propose(wish: AllianceWish) -> Alliance:
    """Return the alliance that the owner proposes, with the people whom it chooses."""
    if wish.name is None:
        raise MissingInput("an alliance needs a name", path="$.name")
    return Alliance(
        alliance_id=wish.alliance_id,
        owner_tenant_id=wish.owner_tenant_id,
        partner_tenant_id=wish.partner_tenant_id,
        name=wish.name,
        state=AllianceState.PROPOSED,
        revision=1,
        members={wish.owner_tenant_id: frozenset(wish.members.get(wish.owner_tenant_id, ()))},
    )


def change(alliance: Alliance, wish: AllianceWish, speaker: TenantID) -> Alliance:
    """Return the alliance with what one side wishes: its people, and, for the owner, the name.

    Its revision rises only when something differs. Raises Conflict or Forbidden.
    """
    if alliance.sides != (wish.owner_tenant_id, wish.partner_tenant_id):
        raise Conflict("the tenants of an alliance cannot change; a new alliance is a new id")
    wanted = alliance
    if speaker == alliance.owner_tenant_id:
        wanted = replace(wanted, name=wish.name or alliance.name)
    elif wish.name not in {None, alliance.name}:
        raise Forbidden("only the owner names an alliance", path="$.name")
    if speaker in wish.members and alliance.chosen_by(speaker) != frozenset(wish.members[speaker]):
        wanted = replace(wanted, members={**alliance.members, speaker: frozenset(wish.members[speaker])})
    if wanted == alliance:
        return alliance
    if alliance.state is AllianceState.ENDED:
        raise Conflict("this alliance has ended; a new alliance is a new id")
    return _next(wanted)


def say(alliance: Alliance, verb: Verb, speaker: TenantID, *, now: datetime) -> Alliance:
    """Return the alliance after a side has said something; what it has said before changes nothing; raises Conflict."""
    match verb:
        case "accept":
            return _accept(alliance, speaker, now)
        case "suspend":
            return _suspend(alliance, speaker)
        case "resume":
            return _resume(alliance, speaker)
        case "revoke":
            return revoke(alliance, speaker, now=now)


def revoke(alliance: Alliance, speaker: TenantID, *, now: datetime) -> Alliance:
    """Return the alliance ended for good; one that is ended stays as it was."""
    if alliance.state is AllianceState.ENDED:
        return alliance
    ended = replace(alliance, state=AllianceState.ENDED, suspended_by=frozenset())
    return _next(replace(ended, ended_at=now, ended_by_tenant=speaker))


def _accept(alliance: Alliance, speaker: TenantID, now: datetime) -> Alliance:
    if speaker != alliance.partner_tenant_id:
        raise Conflict("the tenant that proposed an alliance cannot accept it; its partner does")
    _refuse_ended(alliance)
    if alliance.state is not AllianceState.PROPOSED:
        return alliance
    return _next(replace(alliance, state=AllianceState.ACTIVE, accepted_at=now))


def _suspend(alliance: Alliance, speaker: TenantID) -> Alliance:
    _refuse_unaccepted(alliance)
    if speaker in alliance.suspended_by:
        return alliance
    suspended = replace(alliance, state=AllianceState.SUSPENDED, suspended_by=alliance.suspended_by | {speaker})
    return _next(suspended)


def _resume(alliance: Alliance, speaker: TenantID) -> Alliance:
    _refuse_unaccepted(alliance)
    if speaker not in alliance.suspended_by:
        if alliance.suspended_by:
            raise Conflict("the other side has suspended this alliance; only it can resume it")
        return alliance
    left = alliance.suspended_by - {speaker}
    state = AllianceState.SUSPENDED if left else AllianceState.ACTIVE
    return _next(replace(alliance, state=state, suspended_by=left))


def _refuse_ended(alliance: Alliance) -> None:
    if alliance.state is AllianceState.ENDED:
        raise Conflict("this alliance has ended; a new alliance is a new id")


def _refuse_unaccepted(alliance: Alliance) -> None:
    _refuse_ended(alliance)
    if alliance.state is AllianceState.PROPOSED:
        raise Conflict("this alliance is not accepted yet")


def _next(alliance: Alliance) -> Alliance:
    return replace(alliance, revision=alliance.revision + 1)


def takes_away(before: Alliance, after: Alliance) -> bool:
    """Say whether somebody may do less after a change than before it."""
    stops = before.state is AllianceState.ACTIVE and after.state is not AllianceState.ACTIVE
    return stops or any(before.chosen_by(side) - after.chosen_by(side) for side in before.sides)


def room_of(alliance: Alliance, partners: Collection[Outsider], present: Room | None) -> Room:
    """Return the alliance's room among the owner's rooms; ``partners`` are those of the partner who may be anywhere.

    From the proposal on the key is taken; the room is opened when the partner has accepted, and archived by the owner's
    end alone. Who belongs to the owner as well is listed beside the owner's people.
    """
    is_active = alliance.state is AllianceState.ACTIVE
    partners = frozenset(partners) if is_active else frozenset[Outsider]()
    was_open = present is not None and not present.archived
    return Room(
        key=alliance_key(alliance.alliance_id),
        type=RoomType.ALLIANCE,
        name=alliance.name,
        access=Access.INVITE,
        personal=True,
        archived=not (was_open or alliance.state in {AllianceState.ACTIVE, AllianceState.SUSPENDED}),
        member_ids=alliance.chosen_by(alliance.owner_tenant_id) | {partner.member_id for partner in partners},
        outsiders=partners,
        read_only=not is_active,
        partner_tenant_id=alliance.partner_tenant_id,
    )


def is_in_force(job: Job, alliance: Alliance) -> bool | None:
    """Say whether a job has brought an alliance's room about; False when it cannot, None while that is open.

    A job that runs may have planned nothing yet; and one whose plan is made need not come to its end.
    """
    key = alliance_key(alliance.alliance_id)
    states = {result.state for result in job.effects if result.target.room_key == key}
    if job.state in {"done", "failed"}:
        return not states & {"pending", "failed"}
    if job.state == "running" and states == {"done"}:
        return True
    return None


def sentences(alliance: Alliance, member_id: MemberID) -> Iterator[tuple[str, str]]:
    """Yield reason codes, with sentences, for somebody's place in an alliance's room."""
    yield f"alliance_{alliance.state.value}", STANDS[alliance.state]
    for side, code in zip(alliance.sides, CHOSEN, strict=True):
        if member_id in alliance.chosen_by(side):
            yield code, f"the tenant '{side}' has chosen them for this alliance"


STANDS = {
    AllianceState.PROPOSED: "the alliance is proposed and not accepted: its room is not open yet",
    AllianceState.ACTIVE: "the alliance is active: those whom its two sides have chosen are in the room",
    AllianceState.SUSPENDED: "the alliance is suspended: the partner's people are out, the owner's read",
    AllianceState.ENDED: "the alliance has ended: the partner's people are out for good, the owner's read",
}
"""What the state of an alliance means for its room."""
CHOSEN = ("chosen_by_owner", "chosen_by_partner")
"""The codes that say which side has chosen somebody."""
