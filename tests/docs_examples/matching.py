"""Hold a shown answer against a real one: what is shown must be there, what is not shown does not matter."""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

ANY = "..."
_NAME = re.compile(r"\$([a-z_]+)")


class Mismatch(AssertionError):
    """The real answer is not the one that the guide shows."""


def match(shown: Any, real: Any, names: MutableMapping[str, str], path: str = "$") -> None:
    """Raise Mismatch unless ``real`` has everything that ``shown`` has; names that ``shown`` introduces are kept."""
    if isinstance(shown, dict):
        if not isinstance(real, dict):
            raise Mismatch(f"{path} is {real!r}, and an object is shown")
        for key, value in shown.items():
            if key not in real:
                raise Mismatch(f"{path}.{key} is shown, and is not there")
            match(value, real[key], names, f"{path}.{key}")
    elif isinstance(shown, list):
        _match_list(shown, real, names, path)
    elif isinstance(shown, str):
        match_text(shown, real, names, path)
    elif shown != real or type(shown) is not type(real):
        raise Mismatch(f"{path} is {real!r}, and {shown!r} is shown")


def _match_list(shown: list[Any], real: Any, names: MutableMapping[str, str], path: str) -> None:
    if not isinstance(real, list):
        raise Mismatch(f"{path} is {real!r}, and a list is shown")
    has_more = bool(shown) and shown[-1] == ANY
    wanted = shown[:-1] if has_more else shown
    if len(real) < len(wanted) or (len(real) > len(wanted) and not has_more):
        raise Mismatch(f"{path} has {len(real)} items, and {len(wanted)} are shown")
    for index, value in enumerate(wanted):
        match(value, real[index], names, f"{path}[{index}]")


def match_text(shown: str, real: object, names: MutableMapping[str, str], path: str) -> None:
    """Compare one value with a text of the guide."""
    if shown == ANY:
        return
    new = _NAME.fullmatch(shown)
    if new and new[1] not in names:
        names[new[1]] = str(real)
        return
    wanted = fill(shown, names)
    is_right = str(real).startswith(wanted.removesuffix(ANY)) if wanted.endswith(ANY) else real == wanted
    if not is_right:
        raise Mismatch(f"{path} is {real!r}, and {wanted!r} is shown")


def fill(text: str, names: Mapping[str, str]) -> str:
    """Put values in the place of ``$names``; an unknown one is a mistake in the guide."""

    def value_of(found: "re.Match[str]") -> str:
        if found[1] not in names:
            raise Mismatch(f"nothing before gives ${found[1]} a value")
        return names[found[1]]

    return _NAME.sub(value_of, text)
