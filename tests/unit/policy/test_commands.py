"""Which messages are commands, and what they say."""

from typing import Any

import pytest

from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID
from bridge.model.room import RoomKind
from bridge.model.tenant import Audience
from bridge.policy.commands import number_of, person_of, question_of, read_command
from tests.unit.people import BOTS, room_id, user

GENERAL = RoomKind(type="general", personal=False)


def message(body: str, sender: str = "bob", **more: Any) -> MatrixEvent:
    return MatrixEvent(
        event_id=EventID("$1"),
        room_id=room_id("general"),
        event_type="m.room.message",
        sender=user(sender),
        content={"msgtype": "m.text", "body": body, **more},
        origin_server_ts=1,
    )


@pytest.mark.parametrize(
    ("body", "name", "words"),
    [
        ("!ticket Printer broken", "ticket", "Printer broken"),
        ("!TICKET  x", "ticket", "x"),
        ("!close", "close", ""),
        ("!dance now", "unknown", "now"),
    ],
)
def test_a_message_with_a_mark_is_a_command(body: str, name: str, words: str) -> None:
    command = read_command(message(body), GENERAL, BOTS)
    assert command is not None
    assert (command.name, command.words) == (name, words)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (message("hello !ticket"), GENERAL),
        (message("!"), GENERAL),
        (message("!!! help"), GENERAL),
        (message("! no"), GENERAL),
        (message("!help", "@bitnexus_relay"), GENERAL),
        (message("!help", msgtype="m.notice"), GENERAL),
        (
            message("!help", **{"m.new_content": {}, "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"}}),
            GENERAL,
        ),
        (message("!help"), RoomKind(type="ai", personal=True)),
        (message("!help"), RoomKind(type="dm", personal=True)),
    ],
)
def test_what_is_no_command(event: MatrixEvent, kind: RoomKind) -> None:
    assert read_command(event, kind, BOTS) is None


def test_in_a_tickets_room_commands_are_heard() -> None:
    assert read_command(message("!close"), RoomKind(type="support", personal=True), BOTS) is not None


def test_a_question_has_a_subject_and_perhaps_more() -> None:
    assert question_of("Printer") == (Audience.TEAM, "Printer", "Printer")
    assert question_of("bitnexus: Invoice\nIt is late.") == (Audience.BITNEXUS, "Invoice", "It is late.")
    assert question_of("") is None
    assert question_of("bitnexus:") is None


def test_numbers_and_people() -> None:
    assert (number_of("#12"), number_of("12"), number_of("x"), number_of("²")) == (12, 12, None, None)
    mentioned = read_command(message("!assign Ann", **{"m.mentions": {"user_ids": [user("ann")]}}), GENERAL, BOTS)
    named = read_command(message(f"!assign {user('ann')}"), GENERAL, BOTS)
    nobody = read_command(message("!assign Ann"), GENERAL, BOTS)
    assert mentioned is not None
    assert named is not None
    assert nobody is not None
    assert (person_of(mentioned), person_of(named), person_of(nobody)) == (user("ann"), user("ann"), None)
