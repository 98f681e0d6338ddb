"""Read a request's body into its declared type; what is wrong is named with its path."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bridge.errors import InvalidInput, MalformedJson, MissingInput
from bridge.model.json import Json

_WHERE = re.compile(r"(.*) - at `(\$.*)`", re.DOTALL)
_FIELD = re.compile(r"field `([^`]*)`")


def read_body(raw: bytes, kind: type[Any] | None) -> Any:
    """Return the decoded body, None where the route takes none; raises MalformedJson or InvalidInput."""
    if kind is None:
        return None
    try:
        body = msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise _input_error(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson(f"the body is not JSON: {error}") from None
    if b"\\u0000" in raw:
        _refuse_nul(json.loads(raw), "$")
    return body


def _input_error(message: str) -> InvalidInput:
    found = _WHERE.fullmatch(message)
    sentence, path = (found[1], found[2]) if found else (message, "$")
    field = _FIELD.search(sentence)
    if field and "missing required" in sentence:
        return MissingInput(sentence, path=f"{path}.{field[1]}")
    if field and "unknown field" in sentence:
        return InvalidInput(sentence, path=f"{path}.{field[1]}")
    return InvalidInput(sentence, path=path)


def _refuse_nul(value: Json, path: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidInput("text must not contain the character U+0000", path=path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_nul(key, path)
            _refuse_nul(item, f"{path}.{key}")
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{path}[{index}]")
