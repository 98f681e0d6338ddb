"""Find people by what somebody types: words begin with it, whatever the case and the accents."""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bridge.errors import InvalidInput
from bridge.model.ids import MemberID
from bridge.model.tenant import Member

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
"""Letters with a stroke or a joint, which Unicode does not take for a letter with an accent."""
_WORD = re.compile(r"[^\W_]+")

Place = tuple[str, MemberID]
"""Where somebody stands in the list: by name, then by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPeople:
    """A page of people; ``next`` is where the next one goes on, None at the end."""

    people: Sequence[Member]
    next: str | None


def fold(text: str) -> str:
    """Return a text without case and accents, so that those who type ``zoe`` find Zoë."""
    if text.isascii():  # most are, and this is all that it takes
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(_LETTERS)


def words_of(text: str) -> list[str]:
    """Return the folded words of a text: its letters and digits, parted by whatever else there is."""
    return _WORD.findall(fold(text))


def find_people(members: Iterable[Member], query: str, *, after: str | None, limit: int) -> FoundPeople:
    """Return active members of whose words each word of ``query`` begins one, by name; raises InvalidInput.

    An empty query finds everybody. ``after`` is the ``next`` of the page before.
    """
    wanted = words_of(query)
    if not wanted and query.strip():
        return FoundPeople(people=(), next=None)
    behind = None if after is None else _place_from(after)
    found = sorted((member for member in members if member.active and _is_meant(member, wanted)), key=_place_of)
    rest = [member for member in found if behind is None or _place_of(member) > behind]
    page = rest[:limit]
    return FoundPeople(people=page, next=_cursor_of(page[-1]) if len(rest) > limit else None)


def _is_meant(member: Member, wanted: Sequence[str]) -> bool:
    words = [*words_of(member.display_name), *words_of(member.member_id)]
    return all(any(word.startswith(part) for word in words) for part in wanted)


def _place_of(member: Member) -> Place:
    return fold(member.display_name), member.member_id


def _cursor_of(member: Member) -> str:
    return base64.urlsafe_b64encode("\n".join(_place_of(member)).encode()).decode()


def _place_from(cursor: str) -> Place:
    try:
        name, _, member_id = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode().rpartition("\n")
    except (binascii.Error, UnicodeError):
        raise InvalidInput("after must be the next of another page", path="after") from None
    return name, MemberID(member_id)
