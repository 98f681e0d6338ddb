"""A file of tenants: the same fields as the API, and what is wrong is named with its path and its line."""

from pathlib import Path

import pytest

from bridge.actions.plan_wish import WholeWish
from bridge.errors import InvalidInput
from bridge.model.change import MemberWish
from bridge.model.ids import MemberID, TenantID
from bridge.model.tenant import Access, Role, RoomType, TenantStatus
from bridge.planning.file import read_tenants, with_place

WHOLE = """\
tenants:
  - tenant_id: acme
    name: Acme
    status: suspended
    settings: {retention_days: 30, ai: {enabled: false}}
    rooms:
      - {key: general, type: general, name: General}
      - key: board
        type: custom
        name: Board
        access: invite
        members: [anna]
    members:
      - {user_id: anna, role: owner, display_name: Anna}
      - user_id: ben
        role: member
  - tenant_id: globex
    name: Globex
"""


def read(folder: Path, text: str) -> list[WholeWish]:
    path = folder / "tenants.yaml"
    path.write_text(text, encoding="utf-8")
    return read_tenants(path)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    acme, globex = read(tmp_path, WHOLE)
    assert (acme.tenant_id, acme.tenant.name, acme.tenant.status) == ("acme", "Acme", TenantStatus.SUSPENDED)
    assert acme.tenant.settings is not None
    assert (acme.tenant.settings.retention_days, acme.tenant.settings.ai) == (30, False)
    assert acme.tenant.rooms is not None
    general, board = acme.tenant.rooms
    assert (general.key, general.type, general.access) == ("general", RoomType.GENERAL, Access.TENANT)
    assert (board.access, board.member_ids) == (Access.INVITE, {"anna"})
    assert acme.members == [
        MemberWish(member_id=MemberID("anna"), role=Role.OWNER, display_name="Anna"),
        MemberWish(member_id=MemberID("ben"), role=Role.MEMBER),
    ]
    assert (globex.tenant_id, globex.tenant.rooms, globex.members) == (TenantID("globex"), None, None)


@pytest.mark.parametrize(
    ("before", "after", "line", "path"),
    [
        ("name: General}", "typ: General}", 7, "tenants[0].rooms[0].typ"),
        ("        type: custom", "        type: customs", 9, "tenants[0].rooms[1].type"),
        ("    status: suspended", "    status: asleep", 4, "tenants[0].status"),
        ("        role: member", "        role: boss", 16, "tenants[0].members[1].role"),
        ("      - user_id: ben", "      - user_id: Ben", 15, "tenants[0].members[1].user_id"),
        ("tenant_id: globex", "tenant_id: acme", 17, "tenants[1].tenant_id"),
        ("tenant_id: globex", "tenant: globex", 17, "tenants[1].tenant"),
        ("    name: Globex", "    name: 5", 18, "tenants[1].name"),
        ("    name: Globex", "", 17, "tenants[1].name"),
        ("retention_days: 30", "retention_days: 0", 5, "tenants[0].settings.retention_days"),
        ("tenants:", "customers:", 1, "customers"),
    ],
)
def test_what_is_wrong_is_named_with_its_path_and_line(
    tmp_path: Path, before: str, after: str, line: int, path: str
) -> None:
    assert WHOLE.count(before) == 1
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, WHOLE.replace(before, after))
    assert caught.value.sentence.startswith(f"{tmp_path / 'tenants.yaml'}, line {line}: {path}: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tenants: [", "line 1: expected the node content"),
        ("tenants: []\ntenants: []", "line 2: found duplicate key"),
        ("- tenant_id: acme", "must be a mapping"),
        ("", "must be a mapping"),
        ("tenants: {a: b}", "line 1: tenants: Expected `array`"),
        ("tenants: [{tenant_id: acme, name: !!python/object:os.system x}]", "tenants.yaml"),
        ("tenants: &a [*a]", "tenants.yaml"),
    ],
)
def test_what_is_no_file_of_tenants_is_said_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=r"tenants\.yaml") as caught:
        read(tmp_path, text)
    assert says in caught.value.sentence
    assert "\n" not in caught.value.sentence


def test_a_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_tenants(tmp_path / "none.yaml")


def test_what_policy_refuses_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "tenants.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    error = with_place(InvalidInput("no", path="$.rooms[1].members"), path, 0)
    assert error.sentence == f"{path}, line 12: tenants[0].rooms[1].members: no"
