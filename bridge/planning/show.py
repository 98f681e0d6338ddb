"""Show plans the way terraform does: what comes, what changes, what goes, by tenant, with a sum and a hash."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from rich.console import Console
from rich.text import Text

from bridge.actions.plan_wish import WishPlan
from bridge.model.effect import (
    PENDING_PREFIX,
    CreateRoom,
    Effect,
    JoinUser,
    LeaveRoom,
    RegisterUser,
    RemoveUser,
    SetAvatar,
    SetDisplayName,
    SetState,
    effect_target,
)
from bridge.model.ids import MemberID, UserID
from bridge.model.json import Json, json_sha256
from bridge.policy.wish_changes import Action, WishChange

_SIGNS: dict[Action, tuple[str, str]] = {
    "create": ("+", "green"),
    "change": ("~", "yellow"),
    "remove": ("-", "red"),
}

Line = tuple[Action, str]
Names = Mapping[UserID, MemberID]


def hash_of(plans: Sequence[WishPlan]) -> str:
    """Return what changes whenever any of the plans does."""
    return json_sha256([plan.hash for plan in plans])


def show_plans(plans: Sequence[WishPlan], console: Console) -> None:
    """Print every plan that is not empty, the sum and the hash."""
    for plan in plans:
        if not plan.is_empty:
            _show_plan(plan, console)
    if all(plan.is_empty for plan in plans):
        console.print(Text("Nothing to do: everything is as the file says.", style="green"))
        return
    create, change, remove = (
        sum(getattr(plan.plan, name) for plan in plans) for name in ("create", "change", "remove")
    )
    stored = sum(len(plan.changes) for plan in plans)
    console.print(
        Text.assemble(
            ("Plan: ", "bold"), f"{create} to create, {change} to change, {remove} to remove in Matrix; ",
            f"{stored} changes of what is stored.",
        )
    )  # fmt: skip
    for plan in plans:
        if plan.takes_out_many:
            warning = (
                f"{plan.tenant_id} loses so many people that this may be a mistake: apply needs --plan with the hash."
            )
            console.print(Text(warning, style="bold red"), soft_wrap=True)
    console.print(Text(f"Hash: {hash_of(plans)}"), soft_wrap=True)


def as_json(plans: Sequence[WishPlan]) -> str:
    """Return the plans as one JSON object."""
    whole = {
        "hash": hash_of(plans),
        "is_empty": all(plan.is_empty for plan in plans),
        "summary": {name: sum(getattr(plan.plan, name) for plan in plans) for name in ("create", "change", "remove")},
        "tenants": [_tenant_json(plan) for plan in plans],
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()


def effect_line(effect: Effect, names: Names) -> Line:
    """Return what one effect does, in words."""
    match effect:
        case RegisterUser() | SetDisplayName() | SetAvatar():
            return _account_line(effect, _name(effect.user_id, names))
        case CreateRoom(room_key=key):
            return "create", f"room {key}"
        case SetState():
            return "change", _state_words(effect)
        case JoinUser(room_key=key, user_id=user_id):
            return "create", f"{_name(user_id, names)} enters {key}"
        case RemoveUser(room_key=key, user_id=user_id) | LeaveRoom(room_key=key, user_id=user_id):
            return "remove", f"{_name(user_id, names)} leaves {key}"


def _state_words(effect: SetState) -> str:
    which = f" {effect.state_key.removeprefix(PENDING_PREFIX)}" if effect.state_key else ""
    return f"{effect.room_key}: {effect.event_type}{which}{' (takes something away)' if effect.revokes else ''}"


def _account_line(effect: RegisterUser | SetDisplayName | SetAvatar, name: str) -> Line:
    match effect:
        case RegisterUser():
            return "create", f"account {name}"
        case SetDisplayName(display_name=display_name):
            return "change", f"{name}: name {_value(display_name)}"
        case SetAvatar():
            return "change", f"{name}: picture"


def _show_plan(plan: WishPlan, console: Console) -> None:
    console.print(Text.assemble((plan.tenant_id, "bold"), f"  {plan.name}"))
    for change in plan.changes:
        _print(console, change.action, _change_words(change))
    if plan.plan.effects:
        console.print(Text("    in Matrix:", style="dim"))
        for action, words in _effect_lines(plan.plan.effects, plan.people):
            _print(console, action, words)
    console.print()


def _print(console: Console, action: Action, words: str) -> None:
    sign, style = _SIGNS[action]
    console.print(Text(f"  {sign} {words}", style=style), soft_wrap=True)


def _change_words(change: WishChange) -> str:
    thing = f"{change.what} {change.name}"
    match change.action:
        case "create":
            return f"{thing}: {change.after}"
        case "remove":
            return f"{thing}: {change.before}" + (", archived: its history stays" if change.what == "room" else "")
        case "change":
            field = f" {change.field}" if change.field else ""
            return f"{thing}{field}: {_value(change.before)} -> {_value(change.after)}"


def _value(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def _effect_lines(effects: Iterable[Effect], names: Names) -> Iterator[Line]:
    """Tell effects in their order; the rooms that a person enters or leaves are one line."""
    rooms: dict[tuple[str, UserID], list[str]] = {}
    for effect in effects:
        if isinstance(effect, JoinUser | RemoveUser):
            rooms.setdefault((effect.kind, effect.user_id), []).append(effect.room_key)
    for effect in effects:
        if not isinstance(effect, JoinUser | RemoveUser):
            yield effect_line(effect, names)
            continue
        keys = rooms.pop((effect.kind, effect.user_id), None)
        if keys:
            verb = "enters" if isinstance(effect, JoinUser) else "leaves"
            yield effect_line(effect, names)[0], f"{_name(effect.user_id, names)} {verb} {', '.join(keys)}"


def _name(user_id: UserID, names: Names) -> str:
    return names.get(user_id) or user_id


def _tenant_json(plan: WishPlan) -> dict[str, object]:
    return {
        "tenant_id": plan.tenant_id,
        "name": plan.name,
        "hash": plan.hash,
        "takes_out_many": plan.takes_out_many,
        "changes": [
            {
                "action": change.action,
                "what": change.what,
                "name": change.name,
                "field": change.field or None,
                "before": change.before,
                "after": change.after,
            }
            for change in plan.changes
        ],
        "effects": [_effect_json(effect, plan.people) for effect in plan.plan.effects],
        "summary": {"create": plan.plan.create, "change": plan.plan.change, "remove": plan.plan.remove},
    }


def _effect_json(effect: Effect, names: Names) -> dict[str, str | None]:
    target = effect_target(effect)
    action, words = effect_line(effect, names)
    return {
        "effect_id": target.effect_id,
        "action": action,
        "kind": target.kind,
        "sentence": words,
        "room_key": target.room_key,
        "room_id": target.room_id,
        "user_id": names.get(target.user_id) if target.user_id else None,
    }
