"""What the code has by name: settings, routes, error codes, metrics, commands."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_type_hints

import msgspec
from aiohttp import web
from prometheus_client import REGISTRY

import bridge.telemetry  # noqa: F401 - it registers the metrics
from bridge import cli
from bridge.api.middleware import PUBLIC_FILES
from bridge.api.routes import ROUTES
from bridge.config import ENVIRONMENT_PREFIX, Config
from bridge.matrix.appservice import AppserviceEndpoints
from bridge.model.tenant import TenantStatus
from bridge.policy.alliances import CHOSEN, STANDS
from bridge.policy.explain import _STANDING
from tests.docs_examples.text import ROOT

_ERRCODE = re.compile(r'"(M_[A-Z_]+)"')
_THEIRS = frozenset({"M_USER_IN_USE", "M_UNKNOWN_DEVICE"})  # Synapse's, which is not passed on


def is_section(kind: object) -> bool:
    """Say whether a setting holds settings."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def settings(kind: Any = Config, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting's path and default, sections left out; a list of sections has ``[]`` behind its name."""
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        path = f"{above}.{field.name}".lstrip(".")
        listed = [part for part in get_args(hints[field.name]) if is_section(part)]
        if is_section(hints[field.name]):
            yield from settings(hints[field.name], path)
        elif listed:
            yield from settings(listed[0], f"{path}[]")
        else:
            yield path, field.default


def variable_of(path: str) -> str:
    """Return the environment variable of a setting."""
    section, _, key = path.partition(".")
    return f"{ENVIRONMENT_PREFIX}{section}_{key.replace('.', '__')}".upper()


def main_routes() -> dict[tuple[str, str], frozenset[str]]:
    """Return the routes of the main listener with the kinds of credentials that they take."""
    routes: dict[tuple[str, str], frozenset[str]] = {
        (route.method, route.path): frozenset(route.credentials) for route in ROUTES
    }
    return routes | {("GET", "/ready"): frozenset(), ("GET", PUBLIC_FILES): frozenset()}


def synapse_routes() -> set[tuple[str, str]]:
    """Return the routes of the listener for Synapse."""
    app = web.Application()
    nothing: Any = None
    AppserviceEndpoints(hs_token="", module_secret="", store=nothing, decide_login=nothing, start_chat=nothing).add_to(
        app
    )
    found = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    return {(method, path) for method, path in found if method != "HEAD"}


def errcodes() -> set[str]:
    """Return every error code that our code has, by its text."""
    files = [
        *(ROOT / "bridge").glob("*.py"),
        *(ROOT / "bridge/api").glob("*.py"),
        *(ROOT / "bridge/matrix").glob("*.py"),
    ]
    found = {code for file in files for code in _ERRCODE.findall(file.read_text(encoding="utf-8"))}
    return found - _THEIRS


def reasons() -> set[str]:
    """Return every code that an explanation may have, by its text and by what it is made of."""
    source = (ROOT / "bridge/policy/explain.py").read_text(encoding="utf-8")
    verbs = set(re.findall(r'verb = "(\w+)" if .* else "(\w+)"', source)[0])
    standing = {f"membership_{membership}" for membership in _STANDING}
    of_alliances = {*CHOSEN, *(f"alliance_{state.value}" for state in STANDS)}
    of_tenants = {f"tenant_{status.value}" for status in TenantStatus}
    return set(re.findall(r'code="(\w+)"', source)) | verbs | standing | of_tenants | of_alliances


def metrics() -> set[str]:
    """Return the names of our metrics: the bridge's as it exposes them, the module's by its text."""
    own = {_exposed(family.name, family.type) for family in REGISTRY.collect() if family.name.startswith("bitnexus_")}
    module = ROOT / "synapse_module/bitnexus_synapse_module"
    text = "".join(path.read_text(encoding="utf-8") for path in module.glob("*.py"))
    theirs = re.findall(r'(Counter|Histogram|Gauge)\(\s*"(bitnexus_\w+)"', text)
    return own | {_exposed(name, kind.lower()) for kind, name in theirs}


def _exposed(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


def commands() -> Mapping[str, set[str]]:
    """Return the commands with their options."""
    parser = cli._parser()
    (choices,) = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: set(_long_options(sub._actions)) for name, sub in choices.items()}


def _long_options(actions: Sequence[argparse.Action]) -> Iterator[str]:
    for action in actions:
        yield from (option for option in action.option_strings if option.startswith("--") and option != "--help")
