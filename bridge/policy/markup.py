"""Markdown in, HTML of the Matrix specification's list out (client-server API, "m.room.message msgtypes")."""

import re

import nh3
from markdown_it import MarkdownIt

_TAGS = {
    "del", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "p", "a", "ul", "ol", "sup", "sub", "li", "b", "i", "u",
    "strong", "em", "s", "code", "hr", "br", "div", "table", "thead", "tbody", "tr", "th", "td", "caption", "pre",
    "span", "details", "summary",
}  # fmt: skip
_ATTRIBUTES = {"*": set[str](), "a": {"href"}, "ol": {"start"}, "code": {"class"}}
_LANGUAGE = re.compile(r"language-[A-Za-z0-9_+.#-]+")
_MAX_BARS = 1000  # markdown-it completes short rows, so that a wide table grows with the square of its text
_SCHEMES = {"https", "http", "mailto"}
_LINKS = ("https://", "http://", "mailto:")
_WITHOUT_TABLES = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("strikethrough")
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])


def markdown_to_html(text: str) -> str:
    """Render CommonMark with tables; HTML inside it is shown as text, links are https, http or mailto."""
    markdown = _MARKDOWN if text.count("|") <= _MAX_BARS else _WITHOUT_TABLES
    return sanitise_html(markdown.render(text)).strip()


def sanitise_html(html: str) -> str:
    """Keep what the specification lists, without images and styles; everything else goes."""
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_keep,
        url_schemes=_SCHEMES,
        link_rel="noopener",
        strip_comments=True,
    )


def _keep(tag: str, attribute: str, value: str) -> str | None:
    """Keep links that name their scheme, and of a code's classes the one that names its language."""
    if attribute == "href":
        return value if value.startswith(_LINKS) else None
    if (tag, attribute) != ("code", "class"):
        return value
    return next((name for name in value.split() if _LANGUAGE.fullmatch(name)), None)
