"""Markdown in, HTML of the Matrix specification's list out (client-server API, "m.room.message msgtypes")."""

import nh3
from markdown_it import MarkdownIt

_TAGS = {
    "del", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "p", "a", "ul", "ol", "sup", "sub", "li", "b", "i", "u",
    "strong", "em", "s", "code", "hr", "br", "div", "table", "thead", "tbody", "tr", "th", "td", "caption", "pre",
    "span", "details", "summary",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "code": {"class"}}
_SCHEMES = {"https", "http", "mailto"}
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])


def markdown_to_html(text: str) -> str:
    """Render CommonMark with tables; HTML inside it is shown as text, links are https, http or mailto."""
    return sanitise_html(_MARKDOWN.render(text)).strip()


def sanitise_html(html: str) -> str:
    """Keep what the specification lists, without images and styles; everything else goes."""
    return nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener", strip_comments=True
    )
