"""What the documentation names: pieces of code in its sentences, links, tables, headings."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Said(NamedTuple):
    """Something that a document says, and where."""

    where: str
    text: str


@cache
def committed_files() -> list[Path]:
    """Return every file that is committed or about to be: what git knows, and what it does not ignore."""
    # the checkout may belong to somebody else than who runs the tests
    command = ("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")  # noqa: S603
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def documents() -> list[Path]:
    """Return the documents: every Markdown file of ours."""
    return sorted(path for path in committed_files() if path.suffix == ".md")


def name_of(path: Path) -> str:
    """Return a file's name as the documentation writes it."""
    return path.relative_to(ROOT).as_posix()


def code_in_sentences() -> Iterator[Said]:
    """Yield what stands between backticks, outside fenced blocks."""
    for path in documents():
        text = _without_fences(path)
        for found in _CODE.finditer(text):
            yield Said(_where(path, text, found.start()), found[1])


def everything() -> Iterator[Said]:
    """Yield every line of every document."""
    for path in documents():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            yield Said(f"{name_of(path)}:{number}", line)


def links() -> Iterator[tuple[Path, Said]]:
    """Yield the links of documents, each with the document that has it."""
    for path in documents():
        text = _without_fences(path)
        for found in _LINK.finditer(text):
            yield path, Said(_where(path, text, found.start()), found[1])


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = _HEADING.findall(_without_fences(path))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(document: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its first row."""
    text = (ROOT / document).read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def _without_fences(path: Path) -> str:
    """Return a document with its fenced blocks blanked, so that lines keep their numbers."""
    text = path.read_text(encoding="utf-8")
    return _FENCE.sub(lambda fence: re.sub(r"[^\n]", "", fence[0]), text)


def _where(path: Path, text: str, position: int) -> str:
    return f"{name_of(path)}:{text.count(chr(10), 0, position) + 1}"
