"""Commands that people write in chat: a message that begins with ``!``, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridge.model.event import MatrixEvent
from bridge.model.ids import DeliveryID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import Bots, RoomKind
from bridge.model.tenant import Audience, RoomType
from bridge.policy.projection import DELIVERY_ID, NewMessage, read_event

CommandName = Literal["ticket", "close", "reopen", "assign", "dm", "help", "unknown"]

HELP = (
    "!ticket <subject> asks your team, !ticket bitnexus: <subject> asks BitNexus; what follows on further lines is the"
    " first message. !close closes the ticket whose room you are in, !assign @person gives it to somebody,"
    " !reopen <number> opens one of your tickets again. !dm @person opens a direct chat. !help says this."
)
_NAMES: Mapping[str, CommandName] = {
    "ticket": "ticket",
    "close": "close",
    "reopen": "reopen",
    "assign": "assign",
    "dm": "dm",
    "help": "help",
}
_MAX_SUBJECT = 180
_MAX_BODY = 8000
_TO_STAFF = "bitnexus:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody wrote; ``words`` is what follows the command's name."""

    name: CommandName
    words: str
    mentioned: tuple[UserID, ...]


def read_command(event: MatrixEvent, kind: RoomKind, bots: Bots) -> Command | None:
    """Return the command that a message is; None for other messages.

    Bots command nothing, notices and edits neither; and in rooms of people's own without our relay nobody would answer.
    """
    body = event.content.get("body")
    is_heard = not kind.personal or kind.type == RoomType.SUPPORT
    is_text = event.event_type == "m.room.message" and event.content.get("msgtype") == "m.text"
    if event.sender in bots.all or not is_heard or not is_text or not isinstance(body, str):
        return None
    if not isinstance(read_event(event), NewMessage) or not _begins(body):
        return None
    name, _, words = body[1:].partition(" ")
    return Command(name=_NAMES.get(name.strip().lower(), "unknown"), words=words.strip(), mentioned=_mentioned(event))


def _begins(body: str) -> bool:
    # '!' alone, '!!' and '! no' are exclamations
    return body.startswith("!") and body[1:2].isalpha()


def _mentioned(event: MatrixEvent) -> tuple[UserID, ...]:
    mentions = event.content.get("m.mentions")
    user_ids = mentions.get("user_ids") if isinstance(mentions, Mapping) else None
    return tuple(UserID(found) for found in user_ids if isinstance(found, str)) if isinstance(user_ids, list) else ()


def question_of(words: str) -> tuple[Audience, str, str] | None:
    """Return whom ``!ticket`` asks, its subject and its first message; None without a subject."""
    audience = Audience.BITNEXUS if words.lower().startswith(_TO_STAFF) else Audience.TEAM
    text = words[len(_TO_STAFF) :].strip() if audience is Audience.BITNEXUS else words
    subject, _, more = text.partition("\n")
    if not subject.strip():
        return None
    return audience, subject.strip()[:_MAX_SUBJECT], (more.strip() or subject.strip())[:_MAX_BODY]


def number_of(words: str) -> int | None:
    """Return the number of the ticket that a command names."""
    digits = words.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None  # noqa: PLR2004 - an integer of PostgreSQL


def person_of(command: Command) -> UserID | None:
    """Return whom a command names: by a mention, or by their Matrix id."""
    if command.mentioned:
        return command.mentioned[0]
    return UserID(command.words) if command.words.startswith("@") and ":" in command.words else None


def command_answer(text: str, event: MatrixEvent, delivery_id: DeliveryID) -> JsonObject:
    """Return the notice that answers a command: a reply that mentions who asked."""
    return {
        "msgtype": "m.notice",
        "body": text,
        "m.mentions": {"user_ids": [event.sender]},
        "m.relates_to": {"m.in_reply_to": {"event_id": event.event_id}},
        DELIVERY_ID: delivery_id,
    }
