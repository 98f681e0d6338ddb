"""How a business event reads in a room."""

from collections.abc import Mapping
from html import escape

from bridge.model.event import BusinessEvent
from bridge.model.ids import DeliveryID, MemberID, UserID
from bridge.model.json import Json, JsonObject
from bridge.policy.markup import markdown_to_html

_SYMBOLS = {"info": "ℹ️", "ok": "✅", "warning": "⚠️", "error": "❌", "critical": "🚨"}  # noqa: RUF001 - an emoji
_WORDS = {"info": "", "ok": "", "warning": "Warning: ", "error": "Error: ", "critical": "Critical: "}
_TYPE_SYMBOLS = {"academy.course.completed": "🎓", "marketplace.deal.closed": "🤝"}
_MAX_FACTS = 12
_MAX_FACT_CHARS = 300


def render_event(event: BusinessEvent, delivery_id: DeliveryID, mentioned: Mapping[MemberID, UserID]) -> JsonObject:
    """Return the content of the ``m.room.message`` that shows the event: a plain body that reads alone, and HTML."""
    heading = f"{_symbol(event)} {_WORDS[event.severity]}{event.title or event.type}"
    facts = _facts(event.data)
    plain = "\n".join(part for part in (heading, event.body, *(f"{name}: {value}" for name, value in facts)) if part)
    html = f"<strong>{escape(heading)}</strong>" + markdown_to_html(event.body) + _facts_html(facts)
    is_quiet = event.severity in {"info", "ok"}
    about: dict[str, Json] = {"type": event.type, "severity": event.severity}
    if event.subject is not None:
        about["subject"] = event.subject
    return {
        "msgtype": "m.notice" if is_quiet else "m.text",
        "body": plain,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {"user_ids": sorted(mentioned.values())} if mentioned else {},
        "com.bitnexus.delivery_id": delivery_id,
        "com.bitnexus.event": about,
    }


def _symbol(event: BusinessEvent) -> str:
    if event.severity in {"info", "ok"}:
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
