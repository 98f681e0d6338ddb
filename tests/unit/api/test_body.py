"""Bodies: what is wrong is named with its path, and nothing that anybody can send is a mistake of ours."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.api.body import read_body
from bridge.api.shapes import EventBody, IntegrationKeyBody, MemberBody, ReconcileBody, SessionBody, TenantBody
from bridge.errors import InvalidInput, MalformedJson, MissingInput

GOOD_ROOM = {"key": "a", "type": "general", "name": "A"}
KEY = {"name": "k", "scopes": ["events:write"]}
EVENT = {"type": "x", "to": [{"room": "general"}], "title": "t"}


def with_origin(origin: str) -> dict[str, object]:
    return {"name": "A", "settings": {"allowed_origins": [origin]}}


def refused(body: object, kind: type[Any]) -> InvalidInput:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidInput) as found:
        read_body(raw, kind)
    return found.value


def refusal_of(raw: bytes, kind: type[Any]) -> InvalidInput | None:
    """Return how a body is refused, None when it is read."""
    try:
        assert isinstance(read_body(raw, kind), kind)
    except InvalidInput as error:
        return error
    return None


@pytest.mark.parametrize(
    ("body", "kind", "path"),
    [
        ({"name": "A", "nmae": "B"}, TenantBody, "$.nmae"),
        ({"name": "A", "settings": {"dm": True}}, TenantBody, "$.settings.dm"),
        ({"name": "A", "rooms": [GOOD_ROOM, {"kye": "b"}]}, TenantBody, "$.rooms[1].kye"),
        ({"name": 5}, TenantBody, "$.name"),
        ({"name": None}, TenantBody, "$.name"),
        ({"name": ""}, TenantBody, "$.name"),
        ({"name": "x" * 201}, TenantBody, "$.name"),
        ({"name": "A", "status": "asleep"}, TenantBody, "$.status"),
        ({"name": "A", "settings": {"retention_days": 0}}, TenantBody, "$.settings.retention_days"),
        ({"name": "A", "settings": {"retention_days": 10**30}}, TenantBody, "$.settings.retention_days"),
        ({"name": "A", "settings": {"retention_days": 1.5}}, TenantBody, "$.settings.retention_days"),
        ({"name": "A", "settings": {"allowed_origins": ["*"]}}, TenantBody, "$.settings.allowed_origins[0]"),
        (with_origin("https://a.example/path"), TenantBody, "$.settings.allowed_origins[0]"),
        (with_origin("https://a.example\n"), TenantBody, "$.settings.allowed_origins[0]"),
        ({"name": "A", "rooms": {}}, TenantBody, "$.rooms"),
        ({"name": "A", "rooms": [{"key": "a b", "type": "general", "name": "A"}]}, TenantBody, "$.rooms[0].key"),
        ({"name": "A", "rooms": [{"key": "a\n", "type": "general", "name": "A"}]}, TenantBody, "$.rooms[0].key"),
        ({"name": "A", "rooms": [{"key": "a", "type": "party", "name": "A"}]}, TenantBody, "$.rooms[0].type"),
        ({"role": "king"}, MemberBody, "$.role"),
        ({"role": "member", "super_admin": True}, MemberBody, "$.super_admin"),
        ({**EVENT, "to": []}, EventBody, "$.to"),
        ({**EVENT, "to": [{"room": "A"}]}, EventBody, "$.to[0].room"),
        ({**EVENT, "to": [{"room": "a", "user": "b"}]}, EventBody, "$.to[0].user"),
        ({**EVENT, "body": "x" * 8001}, EventBody, "$.body"),
        ({**EVENT, "title": "x" * 257}, EventBody, "$.title"),
        ({**EVENT, "type": "Has Spaces"}, EventBody, "$.type"),
        ({**EVENT, "type": "x\n"}, EventBody, "$.type"),
        ({**EVENT, "severity": "awful"}, EventBody, "$.severity"),
        ({**EVENT, "data": []}, EventBody, "$.data"),
        ({**EVENT, "tenant_id": "globex"}, EventBody, "$.tenant_id"),
        ({"name": "k", "scopes": ["all"]}, IntegrationKeyBody, "$.scopes[0]"),
        ({"name": "k", "scopes": []}, IntegrationKeyBody, "$.scopes"),
        ({**KEY, "expires_at": "2027-01-01T00:00:00"}, IntegrationKeyBody, "$.expires_at"),
        ({"token": "t", "device_id": "a b"}, SessionBody, "$.device_id"),
        ({"token": "t", "device_id": "a\n"}, SessionBody, "$.device_id"),
        ({"token": "t" * 8193}, SessionBody, "$.token"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(body: object, kind: type[Any], path: str) -> None:
    error = refused(body, kind)
    assert (type(error), error.path) == (InvalidInput, path)
    assert error.sentence


@pytest.mark.parametrize(
    ("body", "kind", "path"),
    [
        ({}, TenantBody, "$.name"),
        ({"name": "A", "rooms": [{"key": "a", "type": "general"}]}, TenantBody, "$.rooms[0].name"),
        ({}, MemberBody, "$.role"),
        ({"type": "x"}, EventBody, "$.to"),
        ({**EVENT, "to": [{}]}, EventBody, "$.to[0].room"),
        (b"", SessionBody, "$.token"),
    ],
)
def test_what_is_missing_is_named(body: object, kind: type[Any], path: str) -> None:
    error = refused(body, kind)
    assert (type(error), error.path) == (MissingInput, path)


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null", "true", "[[]]"])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    error = refused(body.encode(), TenantBody)
    assert (type(error), error.path) == (InvalidInput, "$")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b'{"name": "A",}',
        b"{'name': 'A'}",
        b'{"name": "A"} trailing',
        b'{"name": NaN}',
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "a\nb"}',
        b"\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"data": ' + b"[" * 100_000,
        b"\xef\xbb\xbf",
    ],
)
@pytest.mark.parametrize("kind", [TenantBody, EventBody])
def test_what_is_not_json_is_said_to_be_so(body: bytes, kind: type[Any]) -> None:
    read_as_bad_input(body, kind)


def read_as_bad_input(body: bytes, kind: type[Any]) -> None:
    error = refused(body, kind)
    assert error.status == 400
    assert len(error.sentence) < 500


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
def test_deep_nesting_where_anything_may_stand_is_no_failure_of_ours(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    raw = b'{"type":"x","to":[{"room":"a"}],"title":"t","data":{"deep":' + nested + b'},"subject":"\\u0001"}'
    error = refusal_of(raw, EventBody)
    assert error is None or isinstance(error, MalformedJson)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"title": "a\0b"}, "$.title"),
        ({"data": {"a": ["x", {"b": "\0"}]}}, "$.data.a[1].b"),
        ({"data": {"\0": 1}}, "$.data"),
        ({"id": "\0"}, "$.id"),
    ],
)
def test_the_character_that_postgresql_cannot_hold_is_refused(value: dict[str, object], path: str) -> None:
    assert refused({**EVENT, **value}, EventBody).path == path


def test_nul_beside_deep_nesting_is_no_failure_of_ours() -> None:
    nested = b"[" * 900 + b"]" * 900
    raw = b'{"type":"x","to":[{"room":"a"}],"title":"\\u0000","data":{"deep":' + nested + b"}}"
    error = refused(raw, EventBody)
    assert error.status == 400


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udfff\\ud800"', '"a\\ud83d"'])
def test_lone_surrogates_do_not_come_in(text: str) -> None:
    raw = b'{"type":"x","to":[{"room":"a"}],"title":' + text.encode() + b"}"
    try:
        body = read_body(raw, EventBody)
    except InvalidInput:
        return
    body.title.encode("utf-8")


@pytest.mark.parametrize("number", ["1" * 400, "-" + "1" * 400, "1e400", "1e-400", "1.5", "-0", "1" * 10_000])
def test_numbers_of_any_size_are_no_failure_of_ours(number: str) -> None:
    raw = b'{"type":"x","to":[{"room":"a"}],"title":"t","data":{"n":' + number.encode() + b"}}"
    error = refusal_of(raw, EventBody)
    assert error is None or error.status == 400


def test_a_route_without_a_body_does_not_look_at_one() -> None:
    assert read_body(b"whatever", None) is None


def test_an_empty_body_is_an_empty_object() -> None:
    assert read_body(b"", ReconcileBody) == ReconcileBody()


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([TenantBody, EventBody, MemberBody]))
def test_any_bytes_are_read_or_refused(raw: bytes, kind: type[Any]) -> None:
    error = refusal_of(raw, kind)
    assert error is None or error.path.startswith("$")
