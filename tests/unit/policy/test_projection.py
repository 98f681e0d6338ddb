"""What events mean for the read model, malformed ones too."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, RoomID
from bridge.policy.projection import EditMessage, Meaning, NewMessage, NewState, NoMeaning, RedactMessage, read_event
from tests.unit.people import user

MESSAGE = MatrixEvent(
    event_id=EventID("$1"),
    room_id=RoomID("!r"),
    event_type="m.room.message",
    sender=user("ben"),
    content={"msgtype": "m.text", "body": "x"},
    origin_server_ts=1,
)
NEW = {"msgtype": "m.text", "body": "y"}


def with_relation(relation: object, new_content: object = NEW) -> MatrixEvent:
    return replace(MESSAGE, content={"body": "* y", "m.relates_to": relation, "m.new_content": new_content})


@pytest.mark.parametrize(
    ("event", "meaning"),
    [
        (MESSAGE, NewMessage()),
        (replace(MESSAGE, event_type="m.sticker"), NewMessage()),
        (replace(MESSAGE, content={}), NewMessage()),
        (with_relation({"rel_type": "m.replace", "event_id": "$0"}), EditMessage(EventID("$0"), NEW)),
        (with_relation({"rel_type": "m.thread", "event_id": "$0"}), NewMessage()),
        (with_relation({"m.in_reply_to": {"event_id": "$0"}}), NewMessage()),
        (with_relation("m.replace"), NewMessage()),
        (with_relation({"rel_type": "m.replace"}), NoMeaning()),
        (with_relation({"rel_type": "m.replace", "event_id": 5}), NoMeaning()),
        (with_relation({"rel_type": "m.replace", "event_id": "$0"}, new_content=None), NoMeaning()),
        (with_relation({"rel_type": "m.replace", "event_id": "$0"}, new_content="y"), NoMeaning()),
        (replace(MESSAGE, event_type="m.room.redaction", content={"redacts": "$0"}), RedactMessage(EventID("$0"))),
        (
            replace(MESSAGE, event_type="m.room.redaction", content={}, redacts=EventID("$0")),
            RedactMessage(EventID("$0")),
        ),
        (replace(MESSAGE, event_type="m.room.redaction", content={}), NoMeaning()),
        (replace(MESSAGE, event_type="m.room.redaction", content={"redacts": ["$0"]}), NoMeaning()),
        (replace(MESSAGE, event_type="m.reaction"), NoMeaning()),
        (replace(MESSAGE, event_type="m.room.encrypted"), NoMeaning()),
        (replace(MESSAGE, event_type="m.room.name", state_key=""), NewState()),
        (replace(MESSAGE, event_type="m.room.message", state_key=""), NewState()),
        (replace(MESSAGE, event_type="m.room.redaction", state_key="x"), NewState()),
    ],
)
def test_what_an_event_means(event: MatrixEvent, meaning: Meaning) -> None:
    assert read_event(event) == meaning


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
contents = st.dictionaries(
    st.sampled_from(["m.relates_to", "m.new_content", "redacts", "body"]), json_values, max_size=4
)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(["m.room.message", "m.sticker", "m.room.redaction", "m.reaction"]), contents)
def test_no_content_is_too_odd_to_read(event_type: str, content: dict[str, object]) -> None:
    assert isinstance(read_event(replace(MESSAGE, event_type=event_type, content=content)), Meaning)
