"""A person's list of direct chats: written when it differs, and only then; others' entries stay."""

from typing import Any

from bridge.actions.keep_direct_list import KeepDirectList
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, MemberID, RoomID, RoomKey
from bridge.model.json import JsonObject
from bridge.model.tenant import RoomType
from tests.unit.fake_edges import FakeHomeserver
from tests.unit.fakes import FakeDatabase
from tests.unit.people import ACME, member, tenant_of, user

ANN, BEN, CHAT = user("ann"), user("ben"), RoomID("!dm")


class Site:
    def __init__(self) -> None:
        self.database, self.homeserver = FakeDatabase(), FakeHomeserver()
        self.database.put_tenant(tenant_of(member("ann"), member("ben")))
        self.database.put_room(ACME, CHAT, RoomKey("dm_x"), RoomType.DM.value)
        self.keep = KeepDirectList(database=self.database, homeserver=self.homeserver)

    async def put(self, **memberships: str) -> None:
        events = [
            MatrixEvent(
                event_id=EventID(f"${name}{membership}"),
                room_id=CHAT,
                event_type="m.room.member",
                sender=user(name),
                state_key=user(name),
                content={"membership": membership},
                origin_server_ts=number,
            )
            for number, (name, membership) in enumerate(memberships.items(), start=1)
        ]
        async with self.database.work(ACME) as work:
            await work.rooms.record_state(events)

    def listed(self, content: JsonObject | None = None) -> Any:
        if content is not None:
            self.homeserver.kept[ANN, "m.direct"] = content
        return self.homeserver.kept.get((ANN, "m.direct"))


async def test_a_chat_is_listed_with_the_other_person_beside_what_stands_there() -> None:
    site = Site()
    await site.put(ann="join", ben="join")
    site.listed({"@friend:elsewhere": ["!theirs"]})
    await site.keep(MemberID("ann"))
    assert site.listed() == {"@friend:elsewhere": ["!theirs"], BEN: [CHAT]}


async def test_a_list_that_is_right_is_not_written() -> None:
    site = Site()
    await site.put(ann="join", ben="join")
    stands: JsonObject = {BEN: [CHAT]}
    site.listed(stands)
    site.homeserver.fail("set_account_data", AssertionError("it is right already"))
    await site.keep(MemberID("ann"))
    assert site.listed() is stands


async def test_who_has_left_the_chat_has_it_in_no_list() -> None:
    site = Site()
    await site.put(ben="join", ann="leave")
    site.listed({BEN: [CHAT, "!other"]})
    await site.keep(MemberID("ann"))
    assert site.listed() == {BEN: ["!other"]}


async def test_nothing_is_kept_for_a_person_who_is_gone() -> None:
    site = Site()
    await site.keep(MemberID("nobody"))
    assert site.homeserver.kept == {}
