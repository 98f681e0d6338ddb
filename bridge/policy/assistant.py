"""When the assistant answers, what it is shown, and how its answer appears while it is being written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, UserID
from bridge.model.json import Json, JsonObject, canonical_json
from bridge.model.room import Bots, RoomKind
from bridge.model.session import Turn
from bridge.policy.markup import markdown_to_html

MAX_EDITS = 40
_FIRST_CHARS = 48
_FIRST_SECONDS = 1.5
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 5.0
_SENTENCE_ENDS = (".", "!", "?", "\n")
_MAX_CHARS = 12_000
_MAX_BYTES = 55_000  # an edit has the plain text twice and the HTML once, within an event's 65,536 bytes

NOT_CONFIGURED = "I am not connected to a language model yet. Please ask your administrator to configure one."
UNREACHABLE = "I cannot reach my language model right now. Please try again in a moment."
CUT_SHORT = "(The answer was cut short: the connection to the language model was lost.)"


def wants_answer(event: MatrixEvent, room: RoomKind, bots: Bots) -> bool:
    """Say whether a new message is a question to the assistant.

    In a person's own room with it each of their texts is one; in a room of several people one that mentions it.
    """
    is_text = event.event_type == "m.room.message" and event.content.get("msgtype") == "m.text"
    if room.type != "ai" or not is_text or event.sender in bots.all:
        return False
    return room.personal or _mentions(event, bots.assistant)


def _mentions(event: MatrixEvent, user_id: UserID) -> bool:
    mentions = event.content.get("m.mentions")
    user_ids = mentions.get("user_ids") if isinstance(mentions, Mapping) else None
    return isinstance(user_ids, list) and user_id in user_ids


def conversation(messages: Sequence[tuple[UserID, str]], assistant: UserID) -> list[Turn]:
    """Turn the newest messages, oldest first, into turns."""
    return [
        Turn(speaker="assistant" if sender == assistant else "person", text=text) for sender, text in messages if text
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of an answer stands in the room by now; times in seconds of one monotonic clock."""

    began: float
    text: str = ""
    edits: int = 0
    last_shown: float = 0.0


def is_time_to_show(shown: Shown, text: str, now: float) -> bool:
    """Say whether to show what is written: a sentence, 48 characters or 1.5 s first, then ever more sparsely.

    Edits are silent for push, so the first text must already say something; many edits make a room heavy.
    """
    text = text.strip()
    if not text or text == shown.text:
        return False
    if not shown.text:
        return len(text) >= _FIRST_CHARS or text.endswith(_SENTENCE_ENDS) or now - shown.began >= _FIRST_SECONDS
    pause = min(_LONGEST_PAUSE, _SHORTEST_PAUSE + shown.edits * 0.15)
    return shown.edits < MAX_EDITS - 1 and now - shown.last_shown >= pause


def answer_content(text: str, *, run_id: str, model: str, state: str) -> JsonObject:
    """Return the message that shows an answer so far."""
    shown = text.strip()[:_MAX_CHARS]
    html = markdown_to_html(shown)
    while 2 * len(canonical_json(shown)) + len(canonical_json(html)) > _MAX_BYTES:
        shown = shown[: len(shown) // 2]
        html = markdown_to_html(shown)
    live: dict[str, Json] = {"org.matrix.msc4357.live": {}} if state == "streaming" else {}
    return {
        "msgtype": "m.text",
        "body": shown,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {},
        "com.bitnexus.ai": {"run_id": run_id, "model": model, "state": state},
        **live,
    }


def edit_content(content: JsonObject, event_id: EventID) -> JsonObject:
    """Return the edit that puts ``content`` in the place of ``event_id`` (specification: "Event replacements")."""
    live = {key: value for key, value in content.items() if key == "org.matrix.msc4357.live"}
    return {
        "msgtype": "m.text",
        "body": f"* {content['body']}",
        "m.mentions": {},
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
        **live,
    }
