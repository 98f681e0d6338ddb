"""Read a file of tenants; what is wrong is named with its path, and the line that it stands in."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bridge.actions.plan_wish import WholeWish
from bridge.api.body import read_body
from bridge.api.shapes import Body, Id, ListedMember, TenantBody
from bridge.api.tenants import wish_from
from bridge.errors import InvalidInput
from bridge.model.change import MemberWish
from bridge.model.ids import parse_member_id, parse_tenant_id
from bridge.model.tenant import Role

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class TenantEntry(TenantBody, frozen=True, kw_only=True):
    """A tenant of the file: what ``PUT /v1/tenants/{tenant_id}`` takes, its id, and its whole list of members."""

    tenant_id: Id
    members: Annotated[tuple[ListedMember, ...], Meta(max_length=10_000)] | None = None


class TenantsFile(Body, frozen=True, kw_only=True):
    """The file; tenants that it does not name stay as they are."""

    tenants: tuple[TenantEntry, ...]


def read_tenants(path: Path) -> list[WholeWish]:
    """Return the wishes of a file, in its order; raises InvalidInput."""
    try:
        raw = msgspec.json.encode(_read_yaml(path, "safe"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: {error}") from None
    try:
        file: TenantsFile = read_body(raw, TenantsFile)
        return _wishes(file)
    except InvalidInput as error:
        raise _with_place(error, path) from None


def with_place(error: InvalidInput, path: Path, index: int) -> InvalidInput:
    """Return an error about the ``index``-th tenant with its place in the file."""
    inner = InvalidInput(error.sentence, path=f"$.tenants[{index}]{error.path.removeprefix('$')}")
    return _with_place(inner, path)


def _wishes(file: TenantsFile) -> list[WholeWish]:
    wishes: list[WholeWish] = []
    for index, entry in enumerate(file.tenants):
        at = f"$.tenants[{index}]"
        tenant_id = parse_tenant_id(entry.tenant_id, path=f"{at}.tenant_id")
        if any(wish.tenant_id == tenant_id for wish in wishes):
            raise InvalidInput(f"the tenant '{tenant_id}' stands in the file twice", path=f"{at}.tenant_id")
        members = None
        if entry.members is not None:
            members = [
                MemberWish(
                    member_id=parse_member_id(member.user_id, path=f"{at}.members[{number}].user_id"),
                    role=Role(member.role),
                    display_name=member.display_name,
                )
                for number, member in enumerate(entry.members)
            ]
        wishes.append(WholeWish(tenant_id=tenant_id, tenant=wish_from(entry), members=members))
    return wishes


def _read_yaml(path: Path, kind: Literal["safe", "rt"]) -> Mapping[str, object]:
    """Return the file's tree: plain values, or with ``rt`` nodes that know their place."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"cannot read {path}: it is not UTF-8 text") from None
    try:
        tree: object = YAML(typ=kind, pure=True).load(text)  # pyright: ignore[reportUnknownMemberType] - untyped
    except (YAMLError, ValueError, RecursionError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"{path}{line}: {getattr(error, 'problem', None) or 'this is not YAML'}") from None
    if not isinstance(tree, Mapping):
        raise InvalidInput(f"{path} must be a mapping with the key 'tenants'")
    return cast("Mapping[str, object]", tree)


def _with_place(error: InvalidInput, path: Path) -> InvalidInput:
    line = _line_of(_read_yaml(path, "rt"), error.path)
    at = error.path.removeprefix("$").removeprefix(".") or "top level"
    where = f"{path}, line {line}" if line else str(path)
    return InvalidInput(f"{where}: {at}: {error.sentence}", path=error.path)


def _line_of(tree: object, path: str) -> int | None:
    """Return the line that a path such as ``$.tenants[0].name`` stands in, or the nearest one above it."""
    line: int | None = None
    node: Any = tree
    for name, index in _STEP.findall(path.removeprefix("$")):
        place = getattr(node, "lc", None)
        known: Mapping[object, Sequence[int]] | None = getattr(place, "data", None)
        key: object = int(index) if index else name
        if known is not None and key in known:
            line = known[key][0] + 1
        try:
            node = node[key]
        except (KeyError, IndexError, TypeError):
            break
    return line
