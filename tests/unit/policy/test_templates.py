"""Room templates: what each type gives, as the contract says it."""

import pytest

from bridge.model.tenant import Access, Room, RoomType
from bridge.policy.layout import lay_out
from bridge.policy.templates import TEMPLATES
from tests.unit.people import HOUSE, member, room, tenant_of


def test_every_type_has_a_template() -> None:
    assert TEMPLATES.keys() == set(RoomType)


@pytest.mark.parametrize(
    ("room_type", "access", "writers", "inviters", "has_assistant", "has_relay", "on_demand"),
    [
        (RoomType.GENERAL, "tenant", 0, 150, False, True, False),
        (RoomType.ANNOUNCEMENT, "tenant", 50, 150, False, True, False),
        (RoomType.SUPPORT, "tenant", 0, 150, False, True, False),
        (RoomType.AI, "tenant", 0, 150, True, True, False),
        (RoomType.CUSTOM, "tenant", 0, 150, False, True, False),
        (RoomType.DM, "invite", 0, 0, False, False, True),
        (RoomType.ALLIANCE, "invite", 0, 150, False, True, True),
    ],
)
def test_what_a_type_gives(
    room_type: RoomType,
    access: str,
    writers: int,
    inviters: int,
    *,
    has_assistant: bool,
    has_relay: bool,
    on_demand: bool,
) -> None:
    template = TEMPLATES[room_type]
    assert (template.access.value, template.writers, template.inviters) == (access, writers, inviters)
    assert (template.has_assistant, template.has_relay, template.on_demand) == (has_assistant, has_relay, on_demand)
    assert not template.optional, "people come back into a room unless it says that they need not"


@pytest.mark.parametrize(
    ("found", "visibility"),
    [
        (room("x"), "shared"),
        (room("x", access=Access.INVITE), "invited"),
        (room("x", type=RoomType.DM, access=Access.INVITE), "joined"),
        (room("x", type=RoomType.ALLIANCE, access=Access.INVITE), "joined"),
    ],
)
def test_how_far_back_a_room_is_read(found: Room, visibility: str) -> None:
    state = lay_out(tenant_of(member("ben"), rooms=(found,)), HOUSE, {}).rooms[found.key].state
    assert state["m.room.history_visibility", ""] == {"history_visibility": visibility}
