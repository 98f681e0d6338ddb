"""Whose turn a ticket is, who may change what of it, and what its room is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BitnexusError, Conflict, Forbidden
from bridge.model.ids import MemberID, RoomKey, TicketID
from bridge.model.tenant import Audience, Outsider, Role
from bridge.model.ticket import Side, Ticket, TicketStatus, TicketWish
from bridge.policy.layout import lay_out
from bridge.policy.tickets import (
    NOT_SOLVED,
    after_message,
    change_ticket,
    events_between,
    nameless,
    room_of_ticket,
    sides_of,
    wish_of_reaction,
)
from tests.unit.people import BOTS, HOUSE, member, room_ids_of, tenant_of, user

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BOB = MemberID("bob")
TICKET = Ticket(
    ticket_id=TicketID("t1"),
    number=12,
    room_key=RoomKey("ticket_t1"),
    subject="Printer",
    audience=Audience.TEAM,
    opener=BOB,
    opened_at=NOW,
)
OPENER: frozenset[Side] = frozenset({"opener"})
TEAM: frozenset[Side] = frozenset({"team"})
CLOSED = replace(TICKET, status=TicketStatus.CLOSED, closed_at=NOW, closed_by=BOB)
SAM = Outsider(member_id=MemberID("sam"), user_id=user("sam"), display_name="Sam")


@pytest.mark.parametrize(
    ("audience", "asker", "role", "is_staff", "sides"),
    [
        (Audience.TEAM, "bob", Role.MEMBER, False, OPENER),
        (Audience.TEAM, "bob", Role.OWNER, False, OPENER | TEAM),
        (Audience.TEAM, "ann", Role.MODERATOR, False, TEAM),
        (Audience.TEAM, "eve", Role.MEMBER, False, frozenset()),
        (Audience.TEAM, "sam", None, True, frozenset()),
        (Audience.BITNEXUS, "ann", Role.OWNER, False, frozenset()),
        (Audience.BITNEXUS, "sam", None, True, TEAM),
        (Audience.BITNEXUS, "bob", None, False, frozenset()),
    ],
)
def test_who_is_on_which_side(
    audience: Audience, asker: str, role: Role | None, *, is_staff: bool, sides: frozenset[Side]
) -> None:
    ticket = replace(TICKET, audience=audience)
    assert sides_of(ticket, MemberID(asker), role, is_staff=is_staff) == sides


def test_messages_hand_the_turn_over_and_the_first_reply_counts_once() -> None:
    answered = after_message(TICKET, TEAM, LATER)
    assert (answered.status, answered.first_reply_at, answered.waiting_since) == (TicketStatus.WAITING, LATER, LATER)
    asked = after_message(answered, OPENER, LATER)
    assert (asked.status, asked.waiting_since) == (TicketStatus.OPEN, None)
    assert after_message(asked, TEAM, LATER + timedelta(hours=1)).first_reply_at == LATER
    assert after_message(TICKET, OPENER | TEAM, LATER) == TICKET, "who asks their own team does not answer themselves"
    assert after_message(CLOSED, TEAM, LATER) == CLOSED
    assert after_message(TICKET, frozenset(), LATER) == TICKET


@pytest.mark.parametrize(
    ("ticket", "wish", "sides", "error"),
    [
        (TICKET, TicketWish(assignee=BOB), OPENER, Forbidden),
        (TICKET, TicketWish(audience=Audience.BITNEXUS), OPENER, Forbidden),
        (TICKET, TicketWish(status=TicketStatus.WAITING), OPENER, Forbidden),
        (TICKET, TicketWish(satisfaction=3), OPENER, Conflict),
        (CLOSED, TicketWish(satisfaction=3), TEAM, Forbidden),
    ],
)
def test_each_side_has_its_rights(
    ticket: Ticket, wish: TicketWish, sides: frozenset[Side], error: type[BitnexusError]
) -> None:
    with pytest.raises(error):
        change_ticket(ticket, wish, sides, by=BOB, at=LATER)


def test_closing_rating_and_reopening() -> None:
    closed = change_ticket(TICKET, TicketWish(status=TicketStatus.CLOSED), OPENER, by=BOB, at=LATER)
    assert (closed.closed_at, closed.closed_by) == (LATER, BOB)
    rated = change_ticket(closed, TicketWish(satisfaction=4), OPENER, by=BOB, at=LATER)
    again = change_ticket(rated, TicketWish(status=TicketStatus.OPEN), OPENER, by=BOB, at=LATER)
    assert (again.reopened, again.satisfaction, again.closed_at) == (1, None, None)
    types = [event.type for before, after in ((TICKET, closed), (closed, rated), (rated, again))
             for event in events_between(before, after)]  # fmt: skip
    assert types == ["ticket.closed", "ticket.rated", "ticket.reopened"]


def test_a_hand_over_takes_the_ticket_from_its_assignee() -> None:
    assigned = change_ticket(TICKET, TicketWish(assignee=MemberID("ann")), TEAM, by=BOB, at=LATER)
    handed = change_ticket(assigned, TicketWish(audience=Audience.BITNEXUS), TEAM, by=BOB, at=LATER)
    assert (handed.audience, handed.assignee) == (Audience.BITNEXUS, None)
    assert [event.type for event in events_between(assigned, handed)] == ["ticket.assigned"]


_WISHES = st.builds(
    TicketWish,
    status=st.none() | st.sampled_from(TicketStatus),
    audience=st.none() | st.sampled_from(Audience),
    assignee=st.sampled_from([None, "", MemberID("ann")]),
    satisfaction=st.none() | st.integers(1, 5),
)


@given(wish=_WISHES, sides=st.frozensets(st.sampled_from(["opener", "team"])), ticket=st.sampled_from([TICKET, CLOSED]))
def test_the_same_wish_twice_changes_nothing_the_second_time(
    wish: TicketWish, sides: frozenset[Side], ticket: Ticket
) -> None:
    try:
        once = change_ticket(ticket, wish, sides, by=BOB, at=LATER)
        twice = change_ticket(once, replace(wish, assignee=once.assignee), sides, by=BOB, at=LATER)
    except BitnexusError:
        return
    assert twice == once
    assert "Printer" not in str(list(events_between(ticket, once))), "no words of people in events"


def test_a_teams_ticket_has_its_opener_and_the_staff_of_the_tenant() -> None:
    people = (member("ann", "owner"), member("mod", "moderator"), member("bob"), member("eve"))
    tenant = tenant_of(*people, rooms=(room_of_ticket(TICKET),))
    found = lay_out(tenant, HOUSE, room_ids_of(tenant)).rooms[TICKET.room_key]
    assert found.people == {user("ann"), user("mod"), user("bob")}
    assert BOTS.relay in found.bots
    assert found.state["m.room.history_visibility", ""] == {"history_visibility": "invited"}
    assert found.state["m.room.name", ""] == {"name": "#12 Printer"}


def test_bitnexuss_ticket_has_its_opener_and_the_staff_who_have_no_power() -> None:
    room = replace(room_of_ticket(replace(TICKET, audience=Audience.BITNEXUS)), outsiders=frozenset({SAM}))
    tenant = tenant_of(member("ann", "owner"), member("bob", "owner"), rooms=(room,))
    found = lay_out(tenant, HOUSE, room_ids_of(tenant)).rooms[TICKET.room_key]
    assert found.people == {user("bob"), user("sam")}
    assert found.state["m.room.power_levels", ""]["users"].keys().isdisjoint({user("bob"), user("sam")})  # type: ignore[union-attr]
    assert found.state["com.bitnexus.room", ""]["outsiders"] == [user("sam")]


def test_staff_who_are_in_the_tenant_answer_as_its_people() -> None:
    room = replace(room_of_ticket(replace(TICKET, audience=Audience.BITNEXUS)), outsiders=frozenset({SAM}))
    tenant = tenant_of(member("bob"), member("sam"), member("ann", "owner"), rooms=(room,))
    assert lay_out(tenant, HOUSE, room_ids_of(tenant)).rooms[TICKET.room_key].people == {user("bob"), user("sam")}


def test_in_a_closed_ticket_our_bots_speak_and_people_react() -> None:
    tenant = tenant_of(member("bob"), rooms=(room_of_ticket(CLOSED),))
    levels = lay_out(tenant, HOUSE, room_ids_of(tenant)).rooms[TICKET.room_key].state["m.room.power_levels", ""]
    assert levels["events_default"] == levels["users"][BOTS.relay] == 149  # type: ignore[index, call-overload]
    assert levels["events"]["m.reaction"] == 0  # type: ignore[index, call-overload]


def test_an_erased_persons_ticket_loses_its_subject() -> None:
    assert nameless(room_of_ticket(TICKET)) == "#12"


def test_reactions_rate_and_reopen() -> None:
    assert wish_of_reaction("4\ufe0f\u20e3") == TicketWish(satisfaction=4)
    assert wish_of_reaction(NOT_SOLVED) == TicketWish(status=TicketStatus.OPEN)
    assert wish_of_reaction("👍") is None
