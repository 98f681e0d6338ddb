"""The homeserver's own streams of our rooms: what it stored, in its order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.model.event import InboxItems

StreamName = Literal["events", "receipts"]

RepairReason = Literal["start", "trouble", "timer", "demand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnds:
    """Where the streams end at present; ``instance`` is new at each start of the homeserver."""

    instance: str
    events: int
    receipts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPage:
    """A piece of a stream: everything of our rooms up to ``position``, and where the stream ends at present."""

    items: InboxItems
    unparsable: Sequence[tuple[str, str]]
    position: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a comparison found missing, and has put into the inbox; ``is_whole`` says that it came to the end."""

    events: int
    receipts: int
    is_whole: bool
