"""Read config.example.yaml both ways: as it stands, and with every commented setting switched on."""

import re
from typing import Any

import msgspec
from ruamel.yaml import YAML

from bridge.config import PLACEHOLDER
from tests.docs_examples.facts import variable_of
from tests.docs_examples.text import ROOT

EXAMPLE = ROOT / "config.example.yaml"
# a comment is "# " and a word; a setting at its default has no blank behind the "#", or an indent of its own
_SWITCHED_OFF = re.compile(r"^( *)#(?! \S)", re.MULTILINE)
_VARIABLE = re.compile(r"\((BITNEXUS_[A-Z0-9_]+)\)")
_SETTING = re.compile(r"^ *#?([a-z0-9_]+):")


def standing() -> dict[str, Any]:
    """Return the settings that the example sets, by path."""
    return _flat(_parse(EXAMPLE.read_text(encoding="utf-8")))


def all_on() -> dict[str, Any]:
    """Return all settings of the example, those in comments too, by path."""
    return _flat(_parse(_SWITCHED_OFF.sub(r"\1", EXAMPLE.read_text(encoding="utf-8"))))


def placeholders() -> dict[str, str]:
    """Return the environment that gives every placeholder a value."""
    values = {path: value for path, value in standing().items() if PLACEHOLDER in str(value)}
    return {variable_of(path): str(value).replace(PLACEHOLDER, "mine") for path, value in values.items()}


def variables_in_comments() -> list[tuple[str, str]]:
    """Return each variable that a comment names, with the key of the setting behind that comment."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    found: list[tuple[str, str]] = []
    for number, line in enumerate(lines):
        for variable in _VARIABLE.findall(line):
            setting = _SETTING.match(lines[number + 1])
            found.append((variable, setting[1] if setting else lines[number + 1]))
    return found


def as_written(value: object) -> object:
    """Return a default as YAML has it."""
    return msgspec.to_builtins(value)


def _parse(text: str) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(text))


def _flat(tree: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{above}.{key}".lstrip(".")
        if isinstance(value, dict):
            flat |= _flat(value, path)
        elif isinstance(value, list):
            flat |= {name: item for entry in value for name, item in _flat(entry, f"{path}[]").items()}
        else:
            flat[path] = value
    return flat
