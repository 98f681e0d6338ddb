"""How plans are printed: signs, tenants, sum and hash; no colours where nobody sees them; JSON for machines."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from bridge.actions.plan_wish import WishPlan
from bridge.model.effect import (
    CreateRoom,
    Effect,
    JoinUser,
    RegisterUser,
    RemoveUser,
    SetAvatar,
    SetDisplayName,
    SetState,
)
from bridge.model.ids import MemberID, RoomID
from bridge.planning.show import as_json, hash_of, show_plans
from bridge.policy.plan import make_plan
from bridge.policy.wish_changes import WishChange
from tests.unit.people import ACME, GENERAL, GLOBEX, user

BEN, ROOM = user("ben"), RoomID("!general")
EFFECTS: tuple[Effect, ...] = (
    SetState(room_key=GENERAL, room_id=ROOM, event_type="m.room.power_levels", state_key="", content={}, revokes=True),
    RemoveUser(room_key=GENERAL, room_id=ROOM, user_id=user("eve")),
    RegisterUser(user_id=BEN),
    SetDisplayName(user_id=BEN, display_name="Ben"),
    SetAvatar(user_id=BEN, avatar_url="mxc://s/b"),
    CreateRoom(room_key=GENERAL, creation_content={}, state=(), bots=()),
    SetState(room_key=GENERAL, room_id=ROOM, event_type="m.space.child", state_key="!pending:x", content={"via": []}),
    JoinUser(room_key=GENERAL, room_id=ROOM, user_id=BEN, invite=True),
)
CHANGES = (
    WishChange(action="create", what="member", name="ben", after="member"),
    WishChange(action="change", what="room", name="general", field="name", before="General", after="Plenum"),
    WishChange(action="remove", what="room", name="old", before="Old"),
)


def wish_plan(*, effects: tuple[Effect, ...] = EFFECTS, changes: tuple[WishChange, ...] = CHANGES) -> WishPlan:
    return WishPlan(
        tenant_id=ACME,
        name="Acme",
        changes=changes,
        plan=make_plan(effects),
        people={BEN: MemberID("ben")},
        takes_out_many=False,
        confirmation="c",
    )


def printed(*plans: WishPlan, colours: bool = False) -> str:
    out = io.StringIO()
    show_plans(
        plans, Console(file=out, width=200, force_terminal=colours, color_system="standard" if colours else None)
    )
    return out.getvalue()


def test_a_plan_is_printed_line_by_line() -> None:
    plan = wish_plan()
    assert printed(plan).splitlines() == [
        "acme  Acme",
        "  + member ben: member",
        '  ~ room general name: "General" -> "Plenum"',
        "  - room old: Old, archived: its history stays",
        "    in Matrix:",
        "  ~ general: m.room.power_levels (takes something away)",
        "  - @u_eve:s leaves general",
        "  + account ben",
        '  ~ ben: name "Ben"',
        "  ~ ben: picture",
        "  + room general",
        "  ~ general: m.space.child x",
        "  + ben enters general",
        "",
        "Plan: 3 to create, 4 to change, 1 to remove in Matrix; 3 changes of what is stored.",
        f"Hash: {hash_of([plan])}",
    ]


def test_nothing_to_do_is_said() -> None:
    empty = wish_plan(effects=(), changes=())
    assert printed(empty) == "Nothing to do: everything is as the file says.\n"


def test_a_warning_stands_where_so_many_would_go() -> None:
    assert "may be a mistake" in printed(replace(wish_plan(), takes_out_many=True))
    assert "may be a mistake" not in printed(wish_plan())


def test_colours_are_only_where_somebody_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in printed(wish_plan(), colours=True)
    assert "\x1b[" not in printed(wish_plan())
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    show_plans([wish_plan()], Console(file=out, force_terminal=True))
    assert "\x1b[3" not in out.getvalue()


def test_names_that_look_like_markup_are_printed_as_they_are() -> None:
    change = WishChange(action="create", what="room", name="x", after="[bold]not[/bold] [/]")
    assert "[bold]not[/bold] [/]" in printed(wish_plan(changes=(change,)))


def test_json_has_everything_that_is_printed() -> None:
    told = json.loads(as_json([wish_plan()]))
    assert told["hash"] == hash_of([wish_plan()])
    assert (told["is_empty"], told["summary"]) == (False, {"create": 3, "change": 4, "remove": 1})
    (tenant,) = told["tenants"]
    assert (tenant["tenant_id"], len(tenant["changes"]), len(tenant["effects"])) == ("acme", 3, len(EFFECTS))
    assert tenant["effects"][-1] == {
        "effect_id": tenant["effects"][-1]["effect_id"],
        "action": "create",
        "kind": "join_user",
        "sentence": "ben enters general",
        "room_key": "general",
        "room_id": "!general",
        "user_id": "ben",
    }


def test_the_hash_names_every_tenant_of_the_file() -> None:
    other = replace(wish_plan(), tenant_id=GLOBEX)
    assert len({hash_of([wish_plan()]), hash_of([other]), hash_of([wish_plan(), other])}) == 3
