"""Read a guide's examples: fenced blocks with a request, each followed by one with its answer.

A block of the kind ``http`` whose first line is a method and a path is a request; one that begins with ``HTTP/1.1`` is
the answer to the request before it, and every header and field that it shows must be in the real one. In it ``"..."``
is any value, a text that ends in ``...`` has that beginning, and ``"..."`` at the end of a list stands for more.
``$name`` in a request is filled in; a value that is nothing but ``"$name"`` in an answer gives the name its value.
A comment ``<!-- until it matches -->`` before a request has it repeated until the answer is the one shown.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("docs/backend-developer.md", "docs/element.md")
REPEAT = "<!-- until it matches -->"
_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REQUEST = re.compile(r"(GET|PUT|POST|PATCH|DELETE|OPTIONS) (\S+)")
_ANSWER = re.compile(r"HTTP/1\.1 (\d{3})( [A-Za-z ]+)?")


class BadExample(ValueError):
    """An example does not follow the convention; the sentence says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its kind, its text, the line that it begins at, and what stands right before it."""

    where: str
    kind: str
    text: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request as the guide writes it, and the answer that it promises."""

    where: str
    method: str
    address: str
    headers: dict[str, str]
    body: str
    status: int
    answer_headers: dict[str, str]
    answer: str
    repeat: bool


def blocks_of(guide: str) -> list[Block]:
    """Return every fenced block of a file, in order."""
    text = (ROOT / guide).read_text(encoding="utf-8")
    found: list[Block] = []
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        before = text[: fence.start()].rstrip().rpartition("\n")[2]
        found.append(Block(where=f"{guide}:{line}", kind=fence[1], text=fence[2], before=before))
    return found


def examples_of(guide: str) -> list[Example]:
    """Return the examples of a guide in order."""
    return pair(blocks_of(guide))


def pair(blocks: Iterable[Block]) -> list[Example]:
    """Put requests and answers together; raises BadExample for a request without an answer, or the reverse."""
    examples: list[Example] = []
    request: Block | None = None
    for block in blocks:
        if block.kind != "http":
            continue
        is_answer = block.text.startswith("HTTP/")
        if is_answer == (request is None):
            raise BadExample(f"{block.where}: a request must be followed by its answer")
        if request is None:
            request = block
        else:
            examples.append(_example(request, block))
            request = None
    if request is not None:
        raise BadExample(f"{request.where}: this request has no answer")
    return examples


def _example(request: Block, answer: Block) -> Example:
    line, headers, body = _message(request)
    asked = _REQUEST.fullmatch(line)
    if asked is None:
        raise BadExample(f"{request.where}: '{line}' is no method with a path")
    answer_line, answer_headers, answer_body = _message(answer)
    answered = _ANSWER.fullmatch(answer_line)
    if answered is None:
        raise BadExample(f"{answer.where}: '{answer_line}' is no status line")
    return Example(
        where=request.where,
        method=asked[1],
        address=asked[2],
        headers=headers,
        body=body,
        status=int(answered[1]),
        answer_headers=answer_headers,
        answer=answer_body,
        repeat=request.before == REPEAT,
    )


def _message(block: Block) -> tuple[str, dict[str, str], str]:
    """Split a block into its first line, its headers and its body."""
    head, _, body = block.text.partition("\n\n")
    first, *lines = head.rstrip("\n").split("\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if not colon:
            raise BadExample(f"{block.where}: '{line}' is no header; an empty line comes before the body")
        headers[name] = value
    return first, headers, body.strip()
