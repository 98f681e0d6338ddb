"""What each side of an alliance may say, what comes of it, and the room that follows."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BitnexusError, Conflict, Forbidden, InvalidInput, MissingInput
from bridge.model.alliance import Alliance, AllianceState, AllianceWish, Verb
from bridge.model.effect import EffectTarget
from bridge.model.ids import AllianceID, EffectID, JobID, MemberID, RoomKey, TenantID
from bridge.model.job import EffectResult, Job, JobState
from bridge.model.tenant import Outsider
from bridge.policy.alliances import (
    change,
    is_in_force,
    propose,
    refuse_bad_wish,
    room_of,
    say,
    speaker_of,
    takes_away,
)
from bridge.policy.layout import ROOM_MARKER, lay_out
from bridge.policy.reconcile import reconcile
from bridge.policy.stages import stage_of
from tests.unit.people import ACME, BOTS, GLOBEX, HOUSE, member, room_ids_of, stand, tenant_of, user

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ANN, BOB, GUS = MemberID("ann"), MemberID("bob"), MemberID("gus")
WISH = AllianceWish(
    alliance_id=AllianceID("pact"),
    owner_tenant_id=ACME,
    partner_tenant_id=GLOBEX,
    name="Pact",
    members={ACME: (ANN,), GLOBEX: (GUS,)},
)
PROPOSED = replace(propose(WISH), members={ACME: frozenset({ANN}), GLOBEX: frozenset({GUS})})
ACTIVE = say(PROPOSED, "accept", GLOBEX, now=NOW)
RESTING = say(ACTIVE, "suspend", ACME, now=NOW)
ENDED = say(ACTIVE, "revoke", GLOBEX, now=NOW)
PARTNER = Outsider(member_id=GUS, user_id=user("gus"), display_name="Gus")


@pytest.mark.parametrize(
    ("before", "verb", "speaker", "state"),
    [
        (PROPOSED, "accept", GLOBEX, "active"),
        (PROPOSED, "accept", ACME, None),
        (PROPOSED, "suspend", ACME, None),
        (PROPOSED, "resume", GLOBEX, None),
        (PROPOSED, "revoke", ACME, "ended"),
        (PROPOSED, "revoke", GLOBEX, "ended"),
        (ACTIVE, "accept", GLOBEX, "active"),
        (ACTIVE, "suspend", ACME, "suspended"),
        (ACTIVE, "suspend", GLOBEX, "suspended"),
        (ACTIVE, "resume", ACME, "active"),
        (ACTIVE, "revoke", ACME, "ended"),
        (RESTING, "resume", ACME, "active"),
        (RESTING, "resume", GLOBEX, None),
        (RESTING, "suspend", GLOBEX, "suspended"),
        (RESTING, "accept", GLOBEX, "suspended"),
        (RESTING, "revoke", GLOBEX, "ended"),
        (ENDED, "accept", GLOBEX, None),
        (ENDED, "suspend", ACME, None),
        (ENDED, "resume", ACME, None),
        (ENDED, "revoke", ACME, "ended"),
    ],
)
def test_what_a_side_may_say(before: Alliance, verb: Verb, speaker: TenantID, state: str | None) -> None:
    if state is None:
        with pytest.raises(Conflict):
            say(before, verb, speaker, now=NOW)
        return
    after = say(before, verb, speaker, now=NOW)
    assert after.state.value == state
    assert say(after, verb, speaker, now=NOW) == after, "said again it changes nothing"
    assert after.revision == before.revision + (after != before)


def test_suspended_by_both_it_rests_until_both_resume_it() -> None:
    both = say(RESTING, "suspend", GLOBEX, now=NOW)
    assert say(both, "resume", ACME, now=NOW).state is AllianceState.SUSPENDED
    assert say(say(both, "resume", ACME, now=NOW), "resume", GLOBEX, now=NOW).state is AllianceState.ACTIVE


def test_who_ended_it_is_who_ended_it_first() -> None:
    assert say(ENDED, "revoke", ACME, now=NOW).ended_by_tenant == GLOBEX


spoken = st.lists(st.tuples(st.sampled_from(get_args(Verb)), st.sampled_from([ACME, GLOBEX])), max_size=12)


@settings(max_examples=200, deadline=None)
@given(spoken)
def test_the_partners_people_are_in_the_room_only_with_both_sides_consent(said: list[tuple[Verb, TenantID]]) -> None:
    alliance, accepted, resting, ended = PROPOSED, False, set[TenantID](), False
    for verb, speaker in said:
        try:
            alliance = say(alliance, verb, speaker, now=NOW)
        except Conflict:
            continue
        accepted |= (verb, speaker) == ("accept", GLOBEX)
        resting = resting | {speaker} if verb == "suspend" else resting - {speaker} if verb == "resume" else resting
        ended |= verb == "revoke"
    room = room_of(alliance, [PARTNER], None)
    is_open = accepted and not resting and not ended
    assert (room.outsiders == {PARTNER}) == is_open == (not room.read_only)
    assert (GUS in room.member_ids) == is_open
    assert ANN in room.member_ids


def test_each_side_chooses_its_own_people_and_the_owner_the_name() -> None:
    new = change(ACTIVE, replace(WISH, name=None, members={GLOBEX: ()}), GLOBEX)
    assert (new.chosen_by(ACME), new.chosen_by(GLOBEX)) == ({ANN}, set())
    assert takes_away(ACTIVE, new)
    assert not takes_away(new, change(new, WISH, GLOBEX))
    assert change(ACTIVE, replace(WISH, members={ACME: (BOB,)}), GLOBEX) is ACTIVE, "the other side's list is not heard"
    assert change(ACTIVE, replace(WISH, name="New"), ACME).name == "New"
    with pytest.raises(Forbidden):
        change(ACTIVE, replace(WISH, name="New"), GLOBEX)
    with pytest.raises(Conflict):
        change(ACTIVE, replace(WISH, partner_tenant_id=TenantID("initech")), ACME)
    with pytest.raises(Conflict):
        change(ENDED, replace(WISH, members={ACME: ()}), ACME)
    assert change(ENDED, WISH, ACME) is ENDED


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (replace(WISH, partner_tenant_id=ACME, members={}), InvalidInput),
        (replace(WISH, members={TenantID("initech"): ()}), InvalidInput),
        (replace(WISH, members={ACME: tuple(MemberID(f"p{n}") for n in range(201))}), InvalidInput),
    ],
)
def test_what_no_alliance_can_be(wish: AllianceWish, error: type[BitnexusError]) -> None:
    with pytest.raises(error):
        refuse_bad_wish(wish)


def test_whom_a_person_speaks_for() -> None:
    assert speaker_of(replace(WISH, members={})) == ACME
    assert speaker_of(replace(WISH, members={GLOBEX: ()})) == GLOBEX
    with pytest.raises(Forbidden):
        speaker_of(WISH)
    with pytest.raises(MissingInput):
        propose(replace(WISH, name=None))


def test_the_rooms_key_is_taken_from_the_proposal_on_and_the_room_opened_by_the_acceptance() -> None:
    room = room_of(PROPOSED, [PARTNER], None)
    assert (room.archived, room.personal, room.outsiders) == (True, True, frozenset())
    opened = room_of(ACTIVE, [PARTNER], room)
    assert not opened.archived
    assert not room_of(ENDED, [], opened).archived, "the owner's people go on reading"
    assert room_of(say(PROPOSED, "revoke", ACME, now=NOW), [], room).archived


def test_a_room_of_two_tenants_gives_nobody_power_and_names_no_space() -> None:
    tenant = tenant_of(member("ann", "owner"), member("bob", "admin"), rooms=(room_of(ACTIVE, [PARTNER], None),))
    (key,) = (found.key for found in tenant.rooms)
    found = lay_out(tenant, HOUSE, room_ids_of(tenant)).rooms[key]
    assert found.people == {user("ann"), user("gus")}
    assert not {who for who in found.state["m.room.power_levels", ""]["users"] if who.startswith("@u_")}  # type: ignore[union-attr]
    assert not [kind for kind, _ in found.state if kind.startswith("m.space")]
    marker = found.state[ROOM_MARKER, ""]
    assert (marker["outsiders"], marker["partner_tenant_id"]) == ([user("gus")], GLOBEX)


@pytest.mark.parametrize("after", [RESTING, ENDED])
def test_what_takes_away_is_the_first_thing_that_is_done(after: Alliance) -> None:
    tenant = tenant_of(member("ann", "owner"), rooms=(room_of(ACTIVE, [PARTNER], None),))
    observed = stand(lay_out(tenant, HOUSE, room_ids_of(tenant)), room_ids_of(tenant))
    closed = replace(tenant, rooms=(room_of(after, [PARTNER], tenant.rooms[0]),))
    effects = reconcile(lay_out(closed, HOUSE, room_ids_of(closed)), observed, BOTS)
    done = [(stage_of(e), e.kind, getattr(e, "event_type", getattr(e, "user_id", ""))) for e in effects]
    assert done == [
        (1, "set_state", ROOM_MARKER),
        (1, "set_state", "m.room.power_levels"),
        (2, "remove_user", user("gus")),
    ]


@pytest.mark.parametrize(
    ("state", "results", "verdict"),
    [
        ("queued", [], None),
        ("running", [], None),
        ("running", [("alliance_pact", "pending")], None),
        ("running", [("general", "done")], None),
        ("running", [("alliance_pact", "done"), ("general", "pending")], True),
        ("running", [("alliance_pact", "done"), ("alliance_pact", "failed")], None),
        ("done", [], True),
        ("failed", [("general", "failed"), ("alliance_pact", "done")], True),
        ("failed", [("alliance_pact", "failed")], False),
        ("failed", [("alliance_pact", "pending")], False),
    ],
)
def test_when_a_job_has_brought_the_room_about(
    state: JobState, results: list[tuple[str, str]], verdict: object
) -> None:
    effects = tuple(
        EffectResult(
            target=EffectTarget(
                effect_id=EffectID(str(n)), kind="set_state", room_key=RoomKey(key), room_id=None, user_id=None
            ),
            state=result,  # type: ignore[arg-type]
            error=None,
        )
        for n, (key, result) in enumerate(results)
    )
    job = Job(job_id=JobID("j"), tenant_id=ACME, state=state, error=None, effects=effects)
    assert is_in_force(job, ACTIVE) is verdict
