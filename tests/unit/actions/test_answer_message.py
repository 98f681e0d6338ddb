"""The assistant's answers: in words when it cannot, streamed when it can, and one message whatever happens."""

from dataclasses import replace

import pytest

from bridge.actions.answer_message import AnswerMessage
from bridge.errors import DependencyDown, HomeserverRefused
from bridge.model.event import MatrixEvent, OutboxItem
from bridge.model.ids import EventID, OutboxID, RoomID
from bridge.model.json import JsonObject
from bridge.model.session import Turn
from bridge.policy.assistant import CUT_SHORT, MAX_EDITS, NOT_CONFIGURED, UNREACHABLE
from tests.unit.fake_edges import AWAY, FakeAssistant, FakeClock, FakeHomeserver, refusal
from tests.unit.fakes import FakeDatabase
from tests.unit.people import ACME, BOTS, user

ROOM = RoomID("!ai_ben")
ITEM = OutboxItem(
    outbox_id=OutboxID(7),
    tenant_id=ACME,
    room_id=ROOM,
    kind="answer",
    sender=BOTS.assistant,
    event_type="m.room.message",
    content={"question": "$q"},
    nonce="n",
    attempts=0,
    first_attempt_at=None,
    failures=0,
    delivery_id=None,
)
MODEL_AWAY = DependencyDown("the language model does not answer")


class Desk:
    """An assistant in a room, with its conversation so far."""

    def __init__(self, *pieces: str | Exception, seconds_apiece: float = 0.0, is_configured: bool = True) -> None:
        self.database, self.homeserver, self.clock = FakeDatabase(), FakeHomeserver(), FakeClock()
        self.assistant = FakeAssistant(*pieces, is_configured=is_configured)
        self.assistant.between = lambda: self.clock.pass_seconds(seconds_apiece)
        self.answer = AnswerMessage(
            database=self.database, homeserver=self.homeserver, assistant=self.assistant, clock=self.clock
        )

    @property
    def sent(self) -> list[JsonObject]:
        return [content for _, _, content, _ in self.homeserver.sent]

    @property
    def text(self) -> str:
        """What a reader sees in the end: the newest edit of the one message."""
        first, *edits = self.sent
        assert all(edit["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$sent1"} for edit in edits)
        return str((edits[-1]["m.new_content"] if edits else first)["body"])

    @property
    def state(self) -> str:
        newest = self.sent[-1].get("m.new_content", self.sent[-1])
        return str(newest["com.bitnexus.ai"]["state"])


async def test_without_a_model_it_says_so() -> None:
    desk = Desk(is_configured=False)
    assert await desk.answer(ITEM) == "$sent1"
    assert (desk.text, desk.state) == (NOT_CONFIGURED, "failed")
    assert desk.assistant.asked == []


async def test_when_the_model_is_away_it_says_so() -> None:
    desk = Desk(MODEL_AWAY)
    await desk.answer(ITEM)
    assert (desk.text, desk.state, len(desk.sent)) == (UNREACHABLE, "failed", 1)


async def test_a_model_that_says_nothing_is_as_good_as_away() -> None:
    desk = Desk("", "  ")
    await desk.answer(ITEM)
    assert (desk.text, desk.state) == (UNREACHABLE, "failed")


async def test_an_answer_that_is_cut_in_the_middle_says_so() -> None:
    desk = Desk("The first sentence. ", "And the sec", MODEL_AWAY)
    await desk.answer(ITEM)
    assert (desk.text, desk.state) == (f"The first sentence. And the sec\n\n{CUT_SHORT}", "failed")


async def test_a_short_answer_is_one_message_and_one_edit() -> None:
    desk = Desk("Paris", ".")
    assert await desk.answer(ITEM) == "$sent1"
    assert (desk.text, desk.state) == ("Paris.", "done")
    assert len(desk.sent) <= 2
    assert desk.sent[-1]["m.mentions"] == {}


async def test_it_types_while_it_writes_and_stops_however_it_ends() -> None:
    for desk in (Desk("Paris."), Desk(MODEL_AWAY), Desk("Par", MODEL_AWAY)):
        await desk.answer(ITEM)
        assert desk.homeserver.typing == [True, False]
    desk = Desk("Paris.", "More.")
    desk.homeserver.fail("send", AWAY)
    with pytest.raises(DependencyDown):
        await desk.answer(ITEM)
    assert desk.homeserver.typing == [True, False]


async def test_typing_is_a_courtesy() -> None:
    desk = Desk("Paris.")
    desk.homeserver.fail("set_typing", AWAY, refusal())
    await desk.answer(ITEM)
    assert desk.text == "Paris."


async def test_first_words_come_soon_and_edits_sparsely() -> None:
    desk = Desk(*["word "] * 100, seconds_apiece=0.1)
    await desk.answer(ITEM)
    first = desk.sent[0]
    assert 40 <= len(str(first["body"])) <= 60
    assert first["org.matrix.msc4357.live"] == {}
    assert 3 < len(desk.sent) < 10, "ten seconds of writing"
    assert (desk.text, desk.state) == (("word " * 100).strip(), "done")


@pytest.mark.parametrize("seconds", [0.01, 1.0, 100.0])
async def test_edits_are_bounded_however_long_it_writes(seconds: float) -> None:
    desk = Desk(*["word "] * 1000, seconds_apiece=seconds)
    await desk.answer(ITEM)
    assert len(desk.sent) - 1 <= MAX_EDITS
    assert (desk.text, desk.state) == (("word " * 1000).strip(), "done")


async def test_the_last_edit_is_the_whole_answer_and_not_live() -> None:
    desk = Desk("One. ", "Two. ", "Three.", seconds_apiece=2)
    await desk.answer(ITEM)
    assert "org.matrix.msc4357.live" not in desk.sent[-1]
    assert [content["com.bitnexus.ai"]["run_id"] for content in desk.sent[:1]] == ["run_7"]


async def test_a_repeat_after_a_crash_goes_on_in_the_same_message() -> None:
    desk = Desk("One. ", "Two. ", "Three.", seconds_apiece=2)
    desk.homeserver.fail("send", None, AWAY)
    with pytest.raises(DependencyDown):
        await desk.answer(ITEM)
    assert desk.text == "One."
    assert await desk.answer(replace(ITEM, attempts=1)) == "$sent1"
    assert (desk.text, desk.state) == ("One. Two. Three.", "done")


async def test_a_repeat_whose_first_text_is_the_last_too_still_shows_it() -> None:
    """The first stage's transaction id answers the old message, whose text is the old one."""
    desk = Desk("An old beginning. ", "And more.", seconds_apiece=2)
    desk.homeserver.fail("send", None, AWAY)
    with pytest.raises(DependencyDown):
        await desk.answer(ITEM)
    desk.assistant.pieces = (MODEL_AWAY,)
    await desk.answer(replace(ITEM, attempts=1))
    assert (desk.text, desk.state) == (UNREACHABLE, "failed")
    assert len([content for content in desk.sent if "m.new_content" not in content]) == 1


async def test_an_edit_of_an_interrupted_attempt_does_not_swallow_the_next_ones() -> None:
    desk = Desk("One. ", "Two. ", "Three. ", "Four.", seconds_apiece=2)
    desk.homeserver.fail("send", None, None, AWAY)
    with pytest.raises(DependencyDown):
        await desk.answer(ITEM)
    await desk.answer(replace(ITEM, attempts=1))
    assert len({txn for *_, txn in desk.homeserver.sent}) == len(desk.sent)
    assert desk.text == "One. Two. Three. Four."


async def test_the_last_word_of_a_repeat_is_not_swallowed_by_an_edit_of_the_attempt_before() -> None:
    desk = Desk("One. ", "Two. ", "Three. ", "Four.", seconds_apiece=2)
    desk.homeserver.fail("send", None, None, None, AWAY)
    with pytest.raises(DependencyDown):
        await desk.answer(ITEM)
    desk.assistant.pieces = (MODEL_AWAY,)
    await desk.answer(replace(ITEM, attempts=1))
    assert (desk.text, desk.state) == (UNREACHABLE, "failed")


async def test_a_refusal_in_the_middle_is_told_and_typing_ends() -> None:
    desk = Desk("One. ", "Two.", seconds_apiece=2)
    desk.homeserver.fail("send", None, refusal())
    with pytest.raises(HomeserverRefused):
        await desk.answer(ITEM)
    assert desk.homeserver.typing == [True, False]


async def test_it_is_shown_the_conversation_of_its_room_alone() -> None:
    desk = Desk("Yes.")
    for number, (room, sender, body) in enumerate(
        [
            (ROOM, user("ben"), "Hello?"),
            (RoomID("!ai_anna"), user("anna"), "A secret"),
            (ROOM, BOTS.assistant, "Hello!"),
            (ROOM, user("ben"), "Well?"),
        ]
    ):
        event = MatrixEvent(
            event_id=EventID(f"${number}"),
            room_id=room,
            event_type="m.room.message",
            sender=sender,
            content={"msgtype": "m.text", "body": body},
            origin_server_ts=number,
        )
        desk.database.memory.messages[event.event_id] = event
    await desk.answer(ITEM)
    assert desk.assistant.asked == [
        [
            Turn(speaker="person", text="Hello?"),
            Turn(speaker="assistant", text="Hello!"),
            Turn(speaker="person", text="Well?"),
        ]
    ]
