"""How business events read: everything given is shown, nothing given can do harm, and it always fits."""

from html import unescape

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.model.event import BusinessEvent
from bridge.model.ids import DeliveryID, MemberID
from bridge.model.json import JsonObject, canonical_json
from bridge.policy.relay import render_event
from tests.unit.people import GENERAL, user
from tests.unit.policy.danger import refuse_danger

DELIVERY = DeliveryID("dlv_1")
MAX_BYTES = 60_000
"""Matrix takes events of 65,536 bytes; ids, hashes and signatures come on top of the content."""


def event(**more: object) -> BusinessEvent:
    return BusinessEvent(
        **{
            "type": "academy.course.completed",
            "idempotency_key": "k",
            "room_keys": (GENERAL,),
            "title": "Course completed",
            **more,
        }
    )


def render(**more: object) -> JsonObject:
    return render_event(event(**more), DELIVERY, {})


def test_a_whole_event() -> None:
    content = render_event(
        event(body="Anna has **finished** it.", subject="deal-981", data={"score": 9.5, "course": "Matrix"}),
        DELIVERY,
        {MemberID("ben"): user("ben")},
    )
    assert content == {
        "msgtype": "m.notice",
        "body": "🎓 Course completed\nAnna has **finished** it.\nscore: 9.5\ncourse: Matrix",
        "format": "org.matrix.custom.html",
        "formatted_body": "<strong>🎓 Course completed</strong><p>Anna has <strong>finished</strong> it.</p>"
        "<ul><li>score: 9.5</li><li>course: Matrix</li></ul>",
        "m.mentions": {"user_ids": [user("ben")]},
        "com.bitnexus.delivery_id": "dlv_1",
        "com.bitnexus.event": {"type": "academy.course.completed", "severity": "info", "subject": "deal-981"},
    }


@pytest.mark.parametrize(
    ("severity", "event_type", "msgtype", "start"),
    [
        ("info", "x", "m.notice", "ℹ️ T"),  # noqa: RUF001 - an emoji
        ("ok", "x", "m.notice", "✅ T"),
        ("info", "academy.course.completed", "m.notice", "🎓 T"),
        ("ok", "marketplace.deal.closed", "m.notice", "🤝 T"),
        ("warning", "academy.course.completed", "m.text", "⚠️ Warning: T"),
        ("error", "x", "m.text", "❌ Error: T"),
        ("critical", "x", "m.text", "🚨 Critical: T"),
    ],
)
def test_severity(severity: str, event_type: str, msgtype: str, start: str) -> None:
    content = render(severity=severity, type=event_type, title="T")
    assert (content["msgtype"], content["body"]) == (msgtype, start)
    assert content["formatted_body"] == f"<strong>{start}</strong>"


def test_nobody_is_mentioned_unless_said() -> None:
    assert render(title="@room @ben")["m.mentions"] == {}


def test_without_a_title_the_type_stands_in_its_place() -> None:
    assert render(title="", body="b")["body"] == "🎓 academy.course.completed\nb"


lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=40)


@settings(max_examples=50, deadline=None)
@given(title=lines, body=lines, severity=st.sampled_from(["info", "ok", "warning", "error", "critical"]))
def test_the_given_title_and_body_are_always_shown(title: str, body: str, severity: str) -> None:
    content = render(title=title, body=body, severity=severity)
    assert title in content["body"]
    assert body in content["body"]
    assert title in unescape(content["formatted_body"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(9.5, "9.5"), (2**60, str(2**60)), (-1, "-1"), (True, "True"), (1e300, "1e+300"), ("text", "text")],
)
def test_facts_are_text(value: object, shown: str) -> None:
    content = render(data={"fact": value})
    assert content["body"].endswith(f"\nfact: {shown}")
    canonical_json(content)  # and so Matrix takes it: no float, no integer beyond 2^53


@pytest.mark.parametrize("value", [None, [1, 2], {"nested": {"deep": 1}}])
def test_what_is_no_fact_is_left_out(value: object) -> None:
    assert render(data={"fact": value}) == render()


def test_at_most_twelve_facts_are_shown() -> None:
    content = render(data={f"f{n}": n for n in range(40)})
    assert content["formatted_body"].count("<li>") == 12


EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</strong><a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/track.png)",
    "<svg/onload=alert(1)>",
    '"><iframe src=//evil.example>',
    "<mx-reply>quoted</mx-reply>",
]


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_that_an_integration_writes_becomes_markup_of_its_own(evil: str) -> None:
    refuse_danger(render(title=evil, body=evil, data={evil: evil}, subject=evil)["formatted_body"])


@pytest.mark.parametrize("title", ["**bold**", "# heading", "[link](https://example.org)", "`code`", "* item"])
def test_a_title_is_text_and_no_markdown(title: str) -> None:
    assert render(title=title)["formatted_body"] == f"<strong>🎓 {title}</strong>"


def size_of(content: JsonObject) -> int:
    return len(msgspec.json.encode(content))


LARGEST = [
    "x" * 8000,
    "🎓" * 8000,
    "\x01" * 8000,
    "&" * 8000,
    '"' * 8000,
    "<" * 8000,
    "#\n" * 4000,
    "-\n" * 4000,
    "> " * 4000,
    "*a*" * 2666,
    "https://example.org/ " * 380,
    "|" + "a|" * 500 + "\n|" + "-|" * 500 + "\n" + "|\n" * 2900,
    "\n\n".join("字" * 100 for _ in range(78)),
]


@pytest.mark.parametrize("body", LARGEST, ids=range(len(LARGEST)))
def test_the_largest_event_that_is_accepted_fits_into_a_matrix_event(body: str) -> None:
    odd = "\x01"  # six bytes in JSON
    content = render_event(
        event(
            title=odd * 256,
            body=body,
            subject=odd * 256,
            type="a" * 100,
            data={f"{n}{odd * 5000}": odd * 5000 for n in range(40)},
        ),
        DELIVERY,
        {MemberID(f"m{n}"): user("x" * 60 + str(n)) for n in range(50)},
    )
    assert size_of(content) < MAX_BYTES
    assert odd * 256 in content["body"], "the title is shown whole"
    assert body[:500].strip() in content["body"], "and the body as far as there is room"


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=300), st.text(max_size=60), st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5)
)
@example("", "", {})
def test_whatever_is_given_is_rendered(body: str, title: str, data: dict[str, str]) -> None:
    content = render(body=body, title=title, data=data)
    assert isinstance(content["body"], str)
    assert content["body"]
