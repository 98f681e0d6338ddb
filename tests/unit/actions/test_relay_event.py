"""Business events: once for each id, only where the key reaches, and stored before they are answered."""

from dataclasses import replace

import pytest

from bridge.actions.relay_event import PreviewEvent, RelayEvent, ShowDelivery
from bridge.errors import BitnexusError, DependencyDown, Forbidden, KeyReused, NotFound
from bridge.model.credential import IntegrationCredential
from bridge.model.event import BusinessEvent
from bridge.model.ids import DeliveryID, MemberID, RoomKey
from bridge.model.tenant import Access, Room, RoomType
from tests.unit.fake_edges import FakeEntropy
from tests.unit.fakes import FakeDatabase
from tests.unit.people import ACME, BOTS, GENERAL, GLOBEX, HOUSE, member, room_id, tenant_of, user

SALES, OLD, OWN, UNMADE = (RoomKey(key) for key in ("sales", "old", "ai_ben", "unmade"))
ROOMS = (
    Room(key=GENERAL, type=RoomType.GENERAL, name="General"),
    Room(key=SALES, type=RoomType.CUSTOM, name="Sales"),
    Room(key=OLD, type=RoomType.CUSTOM, name="Old", archived=True),
    Room(key=OWN, type=RoomType.AI, name="NexusHub", access=Access.INVITE, personal=True),
    Room(key=UNMADE, type=RoomType.CUSTOM, name="Unmade"),
)
EVENT = BusinessEvent(
    type="academy.course.completed", idempotency_key="exec-1", room_keys=(GENERAL,), title="Course completed"
)
KEY = IntegrationCredential(
    key_id="key-1", tenant_id=ACME, scopes=frozenset({"events:write", "deliveries:read"}), room_keys=None
)


class Relay:
    """Two tenants; Acme has rooms of every sort."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.database.put_tenant(tenant_of(member("ben"), rooms=ROOMS))
        self.database.put_tenant(tenant_of(member("gil"), tenant_id=GLOBEX))
        for key in (GENERAL, SALES, OLD, OWN):
            self.database.put_room(ACME, room_id(key), key)
        self.database.put_room(GLOBEX, room_id("secret", GLOBEX), RoomKey("secret"))
        self.relay = RelayEvent(database=self.database, house=HOUSE, entropy=FakeEntropy())
        self.show = ShowDelivery(database=self.database)

    async def __call__(
        self, event: BusinessEvent = EVENT, raw_body: bytes = b"{}", *, key: IntegrationCredential = KEY
    ) -> list[DeliveryID]:
        return list(await self.relay(event, raw_body, credential=key))


async def test_an_event_is_stored_for_each_of_its_rooms() -> None:
    relay = Relay()
    deliveries = await relay(replace(EVENT, room_keys=(GENERAL, SALES), mentions=(MemberID("ben"),)))
    items = list(relay.database.memory.outbox.values())
    assert [(item.room_id, item.sender, item.event_type) for item in items] == [
        ("!general", BOTS.relay, "m.room.message"),
        ("!sales", BOTS.relay, "m.room.message"),
    ]
    assert [item.content["com.bitnexus.delivery_id"] for item in items] == deliveries
    assert len(set(deliveries)) == 2
    assert items[0].content["m.mentions"] == {"user_ids": [user("ben")]}


async def test_the_same_event_again_is_answered_as_before_and_stored_once() -> None:
    relay = Relay()
    assert await relay() == await relay() == await relay()
    assert len(relay.database.memory.outbox) == 1


async def test_the_same_id_with_another_body_is_refused() -> None:
    relay = Relay()
    await relay(EVENT, b'{"title": "one"}')
    with pytest.raises(KeyReused) as refused:
        await relay(EVENT, b'{"title": "two"}')
    assert refused.value.status == 422
    assert len(relay.database.memory.outbox) == 1


async def test_two_tenants_may_use_the_same_id() -> None:
    relay = Relay()
    await relay()
    theirs = replace(KEY, key_id="key-2", tenant_id=GLOBEX)
    relay.database.put_room(GLOBEX, room_id("general", GLOBEX), GENERAL)
    await relay(key=theirs)
    assert {item.tenant_id for item in relay.database.memory.outbox.values()} == {ACME, GLOBEX}


@pytest.mark.parametrize("key", ["secret", "nowhere", OLD, OWN, UNMADE, "@space"])
async def test_a_room_that_is_foreign_absent_archived_or_somebodys_own_gets_one_answer(key: str) -> None:
    relay = Relay()
    relay.database.put_room(ACME, room_id("@space"), RoomKey("@space"))
    with pytest.raises(NotFound) as refused:
        await relay(replace(EVENT, room_keys=(GENERAL, RoomKey(key))))
    assert refused.value.sentence == f"there is no room '{key}' that this key may write to"
    assert refused.value.details["path"] == "$.to[1].room"
    assert relay.database.memory.outbox == {}, "refused as a whole"


async def test_a_room_out_of_the_keys_list_is_answered_like_one_that_is_absent() -> None:
    relay = Relay()
    narrow = replace(KEY, room_keys=frozenset({SALES}))
    await relay(replace(EVENT, idempotency_key="a", room_keys=(SALES,)), key=narrow)
    with pytest.raises(NotFound) as listed:
        await relay(key=narrow)
    with pytest.raises(NotFound) as absent:
        await relay(replace(EVENT, room_keys=(RoomKey("nowhere"),)), key=narrow)
    assert listed.value.sentence.replace("general", "nowhere") == absent.value.sentence


async def test_a_key_without_any_room_reaches_none() -> None:
    with pytest.raises(NotFound):
        await Relay()(key=replace(KEY, room_keys=frozenset()))


async def test_a_refused_event_does_not_use_up_its_id() -> None:
    relay = Relay()
    with pytest.raises(NotFound):
        await relay(replace(EVENT, room_keys=(RoomKey("nowhere"),)))
    assert len(await relay()) == 1


async def test_an_event_is_not_accepted_when_it_cannot_be_stored() -> None:
    relay = Relay()
    relay.database.is_down = True
    with pytest.raises(DependencyDown):
        await relay()
    relay.database.is_down = False
    assert len(await relay()) == 1


@pytest.mark.parametrize("person", ["gil", "nobody"])
async def test_a_mention_of_somebody_foreign_or_absent_gets_one_answer(person: str) -> None:
    with pytest.raises(NotFound) as refused:
        await Relay()(replace(EVENT, mentions=(MemberID("ben"), MemberID(person))))
    assert refused.value.sentence == f"there is no person '{person}' in this tenant"
    assert refused.value.details["path"] == "$.mentions[1]"


@pytest.mark.parametrize("scopes", [set(), {"deliveries:read"}, {"events:Write"}, {"events"}])
async def test_a_key_without_the_scope_writes_nothing(scopes: set[str]) -> None:
    relay = Relay()
    key = replace(KEY, scopes=frozenset(scopes))
    with pytest.raises(Forbidden):
        await relay(key=key)
    with pytest.raises(Forbidden):
        await PreviewEvent(database=relay.database)(EVENT, credential=key)
    assert relay.database.memory.outbox == {}


async def test_a_preview_shows_what_would_be_sent_and_sends_nothing() -> None:
    relay = Relay()
    shown = await PreviewEvent(database=relay.database)(EVENT, credential=KEY)
    assert relay.database.memory.outbox == {}
    assert relay.database.memory.idempotency == {}
    await relay()
    sent = next(iter(relay.database.memory.outbox.values())).content
    assert dict(shown[GENERAL]) == {**sent, "com.bitnexus.delivery_id": "dlv_preview"}


async def test_a_preview_reaches_no_further_than_the_key() -> None:
    relay = Relay()
    with pytest.raises(NotFound):
        await PreviewEvent(database=relay.database)(EVENT, credential=replace(KEY, room_keys=frozenset({SALES})))


async def test_what_became_of_a_delivery() -> None:
    relay = Relay()
    (delivery_id,) = await relay()
    assert (await relay.show(delivery_id, credential=KEY)).state == "queued"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"tenant_id": GLOBEX}, NotFound),
        ({"room_keys": frozenset({SALES})}, NotFound),
        ({"scopes": frozenset({"events:write"})}, Forbidden),
    ],
)
async def test_a_delivery_out_of_reach_is_not_shown(changed: dict[str, object], error: type[BitnexusError]) -> None:
    relay = Relay()
    (delivery_id,) = await relay()
    with pytest.raises(error):
        await relay.show(delivery_id, credential=replace(KEY, **changed))


async def test_a_foreign_and_an_absent_delivery_get_one_answer() -> None:
    relay = Relay()
    (delivery_id,) = await relay()
    answers = []
    for asked in (delivery_id, DeliveryID("dlv_none")):
        with pytest.raises(NotFound) as refused:
            await relay.show(asked, credential=replace(KEY, tenant_id=GLOBEX))
        answers.append((refused.value.sentence, dict(refused.value.details)))
    assert answers[0] == answers[1]
