"""The assistant: whom it answers, what it is shown, and how sparsely its answer is edited."""

from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, RoomID
from bridge.model.room import RoomKind
from bridge.model.session import Turn
from bridge.policy.assistant import (
    MAX_EDITS,
    Shown,
    answer_content,
    conversation,
    edit_content,
    is_time_to_show,
    wants_answer,
)
from tests.unit.people import BOTS, user

QUESTION = MatrixEvent(
    event_id=EventID("$q"),
    room_id=RoomID("!ai_ben"),
    event_type="m.room.message",
    sender=user("ben"),
    content={"msgtype": "m.text", "body": "Hello?"},
    origin_server_ts=1,
)


OWN = RoomKind(type="ai", personal=True)
SHARED = RoomKind(type="ai", personal=False)


def mentioning(*user_ids: object) -> MatrixEvent:
    return replace(QUESTION, content={**QUESTION.content, "m.mentions": {"user_ids": list(user_ids)}})


@pytest.mark.parametrize(
    ("event", "kind", "expected"),
    [
        (QUESTION, OWN, True),
        (QUESTION, SHARED, False),
        (mentioning(BOTS.assistant), SHARED, True),
        (mentioning(BOTS.assistant), OWN, True),
        (mentioning(user("ben")), SHARED, False),
        (mentioning(BOTS.assistant.upper()), SHARED, False),
        (replace(QUESTION, content={**QUESTION.content, "m.mentions": {"user_ids": BOTS.assistant}}), SHARED, False),
        (replace(QUESTION, content={**QUESTION.content, "m.mentions": [BOTS.assistant]}), SHARED, False),
        (mentioning(BOTS.assistant), RoomKind(type="general", personal=False), False),
        (QUESTION, RoomKind(type="general", personal=True), False),
        (QUESTION, RoomKind(type="", personal=False), False),
        (replace(QUESTION, sender=BOTS.assistant), OWN, False),
        (replace(QUESTION, sender=BOTS.relay), OWN, False),
        (replace(QUESTION, content={"msgtype": "m.notice", "body": "x"}), OWN, False),
        (replace(QUESTION, content={"msgtype": "m.image", "body": "x"}), OWN, False),
        (replace(QUESTION, content={}), OWN, False),
        (replace(QUESTION, content={"msgtype": ["m.text"]}), OWN, False),
        (replace(QUESTION, event_type="m.reaction"), OWN, False),
    ],
)
def test_whom_it_answers(event: MatrixEvent, kind: RoomKind, *, expected: bool) -> None:
    assert wants_answer(event, kind, BOTS) is expected


def test_a_conversation_is_read_from_its_side() -> None:
    spoken = [(user("ben"), "Hello?"), (BOTS.assistant, "Hello!"), (user("ben"), ""), (user("anna"), "Me too")]
    assert conversation(spoken, BOTS.assistant) == [
        Turn(speaker="person", text="Hello?"),
        Turn(speaker="assistant", text="Hello!"),
        Turn(speaker="person", text="Me too"),
    ]


@pytest.mark.parametrize(
    ("shown", "text", "now", "expected"),
    [
        (Shown(began=0), "", 100, False),
        (Shown(began=0), "  \n", 100, False),
        (Shown(began=0), "Hel", 0.1, False),
        (Shown(began=0), "Hello.", 0.1, True),
        (Shown(began=0), "Really?", 0.1, True),
        (Shown(began=0), "x" * 47, 0.1, False),
        (Shown(began=0), "x" * 48, 0.1, True),
        (Shown(began=0), "Hel", 1.5, True),
        (Shown(began=0), "Hel", 1.4, False),
        (Shown(began=0, text="Hel", last_shown=2), "Hel", 99, False),
        (Shown(began=0, text="Hel", last_shown=2), "Hel  ", 99, False),
        (Shown(began=0, text="Hel", last_shown=2), "Hello", 2.9, False),
        (Shown(began=0, text="Hel", last_shown=2), "Hello", 3, True),
        (Shown(began=0, text="Hel", last_shown=2, edits=10), "Hello", 4.4, False),
        (Shown(began=0, text="Hel", last_shown=2, edits=10), "Hello", 4.5, True),
        (Shown(began=0, text="Hel", last_shown=2, edits=35), "Hello", 7, True),
        (Shown(began=0, text="Hel", last_shown=2, edits=MAX_EDITS - 2), "Hello", 99, True),
        (Shown(began=0, text="Hel", last_shown=2, edits=MAX_EDITS - 1), "Hello", 99, False),
    ],
)
def test_when_it_shows(shown: Shown, text: str, now: float, *, expected: bool) -> None:
    assert is_time_to_show(shown, text, now) is expected


streams = st.lists(
    st.tuples(st.text(min_size=1, max_size=8), st.sampled_from([0.001, 0.1, 1.0, 6.0, 600.0])), min_size=1, max_size=120
)


@settings(max_examples=50, deadline=None)
@given(streams)
def test_any_stream_is_at_most_forty_edits_with_the_last_one(stream: list[tuple[str, float]]) -> None:
    shown, text, now, times = Shown(began=0), "", 0.0, []
    for piece, seconds in stream:
        text, now = text + piece, now + seconds
        if is_time_to_show(shown, text, now):
            edits = shown.edits + 1 if shown.text else 0
            shown = replace(shown, text=text.strip(), edits=edits, last_shown=now)
            times.append(now)
    final_edits = shown.edits + 1 if shown.text else 0
    assert final_edits <= MAX_EDITS == 40
    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in pairwise(times))


def test_an_answer_in_the_room() -> None:
    assert answer_content(" **Yes** ", run_id="run_1", model="tiny", state="done") == {
        "msgtype": "m.text",
        "body": "**Yes**",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p><strong>Yes</strong></p>",
        "m.mentions": {},
        "com.bitnexus.ai": {"run_id": "run_1", "model": "tiny", "state": "done"},
    }


def test_only_an_answer_that_is_being_written_is_live() -> None:
    live = answer_content("x", run_id="run_1", model="tiny", state="streaming")
    assert live["org.matrix.msc4357.live"] == {}
    assert "org.matrix.msc4357.live" in edit_content(live, EventID("$a"))
    done = answer_content("x", run_id="run_1", model="tiny", state="done")
    assert "org.matrix.msc4357.live" not in edit_content(done, EventID("$a"))


def test_an_edit_names_what_it_replaces_and_reads_alone() -> None:
    content = answer_content("Yes", run_id="run_1", model="tiny", state="done")
    assert edit_content(content, EventID("$a")) == {
        "msgtype": "m.text",
        "body": "* Yes",
        "m.mentions": {},
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$a"},
    }


@pytest.mark.parametrize(
    "unit", ["x", "Ж", "字", "🎓", "&", "<", "\x01", "*a*", "#\n", "-\n", "> "], ids=lambda unit: unit.encode().hex()
)
def test_an_edit_of_the_longest_answer_fits_into_a_matrix_event(unit: str) -> None:
    content = answer_content(unit * 20_000, run_id="run_1", model="tiny", state="streaming")
    assert len(msgspec.json.encode(edit_content(content, EventID("$" + "a" * 43)))) < 60_000
    assert len(str(content["body"])) >= 1000, "and it still says something"


@pytest.mark.parametrize(
    "evil", ["<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "![x](https://evil.example/p)"]
)
def test_what_a_model_writes_is_sanitised(evil: str) -> None:
    html = answer_content(evil, run_id="r", model="m", state="done")["formatted_body"]
    assert "<img" not in html
    assert 'href="javascript' not in html
