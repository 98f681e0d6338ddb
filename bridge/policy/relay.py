"""How a business event reads in a room."""

from collections.abc import Mapping
from html import escape

from bridge.model.event import BusinessEvent
from bridge.model.ids import DeliveryID, MemberID, UserID
from bridge.model.json import Json, JsonObject, canonical_json
from bridge.policy.markup import markdown_to_html
from bridge.policy.projection import DELIVERY_ID

_SYMBOLS = {"info": "ℹ️", "ok": "✅", "warning": "⚠️", "error": "❌", "critical": "🚨"}  # noqa: RUF001 - an emoji
_WORDS = {"info": "", "ok": "", "warning": "Warning: ", "error": "Error: ", "critical": "Critical: "}
_TYPE_SYMBOLS = {"academy.course.completed": "🎓", "marketplace.deal.closed": "🤝"}
_QUIET = frozenset({"info", "ok"})
_MAX_BYTES = 56_000  # of an event's 65,536: ids, hashes and signatures come on top
_BODY_LIMITS = (8000, 4000, 2000, 1000)
_MAX_FACTS = 12
_MAX_FACT_CHARS = 300


def render_event(event: BusinessEvent, delivery_id: DeliveryID, mentioned: Mapping[MemberID, UserID]) -> JsonObject:
    """Return the content of the ``m.room.message`` that shows the event: a plain body that reads alone, and HTML.

    What would not fit into a Matrix event is shortened: first the HTML goes, then the facts, then the body's end.
    """
    forms = ((event.body, True, True), (event.body, True, False))
    shorter = ((_shorten(event.body, limit), False, False) for limit in _BODY_LIMITS)
    for body, has_facts, has_html in (*forms, *shorter):
        facts = _facts(event.data) if has_facts else []
        content = _message(event, body, facts, has_html=has_html) | {
            "m.mentions": {"user_ids": sorted(mentioned.values())} if mentioned else {},
            DELIVERY_ID: delivery_id,
            "com.bitnexus.event": _about(event),
        }
        if len(canonical_json(content)) <= _MAX_BYTES:
            return content
    raise AssertionError("the shortest form of an event that was accepted always fits")


def _message(event: BusinessEvent, body: str, facts: list[tuple[str, str]], *, has_html: bool) -> dict[str, Json]:
    heading = f"{_symbol(event)} {_WORDS[event.severity]}{event.title or event.type}"
    plain = "\n".join(part for part in (heading, body, *(f"{name}: {value}" for name, value in facts)) if part)
    content: dict[str, Json] = {"msgtype": "m.notice" if event.severity in _QUIET else "m.text", "body": plain}
    if has_html:
        content["format"] = "org.matrix.custom.html"
        content["formatted_body"] = f"<strong>{escape(heading)}</strong>" + markdown_to_html(body) + _facts_html(facts)
    return content


def _about(event: BusinessEvent) -> dict[str, Json]:
    about: dict[str, Json] = {"type": event.type, "severity": event.severity}
    if event.subject is not None:
        about["subject"] = event.subject
    return about


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def _symbol(event: BusinessEvent) -> str:
    if event.severity in _QUIET:
        return _TYPE_SYMBOLS.get(event.type, _SYMBOLS[event.severity])
    return _SYMBOLS[event.severity]


def _facts(data: JsonObject) -> list[tuple[str, str]]:
    """Return the plain values of ``data`` as text (Matrix refuses floats and integers beyond 2^53)."""
    plain = [(name, value) for name, value in data.items() if isinstance(value, str | int | float)]
    return [(name[:_MAX_FACT_CHARS], str(value)[:_MAX_FACT_CHARS]) for name, value in plain[:_MAX_FACTS]]


def _facts_html(facts: list[tuple[str, str]]) -> str:
    if not facts:
        return ""
    items = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in facts)
    return f"<ul>{items}</ul>"
