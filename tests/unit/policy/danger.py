"""What must never be found in the HTML that we send."""

from html.parser import HTMLParser

TAGS = {
    "del", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "p", "a", "ul", "ol", "sup", "sub", "li", "b", "i",
    "u", "strong", "em", "s", "code", "hr", "br", "div", "table", "thead", "tbody", "tr", "th", "td", "caption",
    "pre", "span", "details", "summary",
}  # fmt: skip


class Inspector(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(tag, name, value or "") for name, value in attrs}

    handle_startendtag = handle_starttag


def refuse_danger(html: str) -> None:
    """Fail when a browser would find in this HTML what the Matrix specification's list does not name."""
    inspector = Inspector()
    inspector.feed(html)
    inspector.close()
    assert inspector.tags <= TAGS
    for tag, name, value in inspector.attributes:
        assert (tag, name) in {("a", "href"), ("a", "rel"), ("ol", "start"), ("code", "class")}
        if name == "href":
            assert not value or value.startswith(("http://", "https://", "mailto:"))
        if name == "class":
            assert value.startswith("language-"), "the specification's list has no other classes"
