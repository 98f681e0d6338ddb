"""Signing in: one token opens one session, for people who are welcome."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from bridge.actions.decide_login import DecideLogin
from bridge.actions.open_session import CloseSession
from bridge.errors import DependencyDown, Forbidden, HomeserverRefused, UnknownCredential
from bridge.model.credential import SessionCredential
from bridge.model.ids import SPACE, DeviceID, MemberID, UserID
from bridge.model.session import Login
from bridge.model.tenant import Person, Role, TenantStatus
from tests.unit.fake_edges import AWAY, FakeHomeserver, refusal
from tests.unit.house import House
from tests.unit.people import ACME, BOTS, GLOBEX, member, room_id, tenant_of, user


def make() -> House:
    house = House()
    house.database.put_tenant(tenant_of(member("ben", "admin"), member("idle", active=False)))
    house.database.put_tenant(tenant_of(member("gil"), tenant_id=GLOBEX, status=TenantStatus.SUSPENDED))
    house.database.put_room(ACME, room_id(SPACE), SPACE, "space")
    for name, super_admin in (("root", True), ("nobody", False)):
        person = Person(member_id=MemberID(name), user_id=user(name), display_name=name, super_admin=super_admin)
        house.database.memory.people[person.member_id] = person
    return house


async def test_a_session_has_what_a_client_works_with() -> None:
    house = make()
    opened = await house.open_session()("ben/1", device_id=None)
    assert (opened.person.user_id, opened.login.access_token, opened.expires_in) == (user("ben"), "syt_token", 300)
    assert [(t.tenant_id, t.role, t.space_id) for t in opened.tenants] == [(ACME, Role.ADMIN, "!@space")]
    assert opened.session_token.startswith("bxs_")
    digest = hashlib.sha256(opened.session_token.encode()).digest()
    member_id, device_id, expires_at = house.sessions.opened[digest]
    assert (member_id, device_id) == ("ben", "MADE")
    assert (expires_at - house.clock.now()).total_seconds() == 3600
    assert user("ben") in house.homeserver.matrix.accounts


async def test_the_session_token_itself_is_not_stored() -> None:
    house = make()
    opened = await house.open_session()("ben/1", device_id=None)
    assert opened.session_token.encode() not in list(house.sessions.opened)


async def test_a_device_of_an_earlier_session_is_taken_up() -> None:
    house = make()
    opened = await house.open_session()("ben/1", device_id=DeviceID("PHONE"))
    assert house.homeserver.logins == [(user("ben"), "PHONE")]
    assert opened.login.device_id == "PHONE"


async def test_a_token_opens_one_session() -> None:
    house = make()
    await house.open_session()("ben/1", device_id=None)
    with pytest.raises(UnknownCredential):
        await house.open_session()("ben/1", device_id=None)
    await house.open_session()("ben/2", device_id=None)
    assert len(house.sessions.opened) == 2


async def test_a_bad_token_is_401_and_asks_nobody() -> None:
    house = make()
    with pytest.raises(UnknownCredential):
        await house.open_session()("bad", device_id=None)
    assert house.sessions.used == set()
    assert house.homeserver.matrix.requests == []


@pytest.mark.parametrize("who", ["stranger", "nobody", "idle", "gil"])
async def test_a_person_without_an_active_tenant_is_403_and_asks_nothing_of_synapse(who: str) -> None:
    house = make()
    with pytest.raises(Forbidden) as refused:
        await house.open_session()(f"{who}/1", device_id=None)
    assert refused.value.sentence == "this person has no active tenant", "the same for all of them"
    assert house.homeserver.matrix.requests == []
    assert house.sessions.opened == {}


async def test_a_refused_person_has_used_their_token() -> None:
    house = make()
    with pytest.raises(Forbidden):
        await house.open_session()("nobody/1", device_id=None)
    with pytest.raises(UnknownCredential):
        await house.open_session()("nobody/1", device_id=None)


async def test_staff_without_a_tenant_may_sign_in() -> None:
    opened = await make().open_session()("root/1", device_id=None)
    assert list(opened.tenants) == []


@pytest.mark.parametrize("act", ["register", "log_in"])
async def test_when_synapse_is_away_the_token_is_given_back(act: str) -> None:
    house = make()
    house.homeserver.fail(act, AWAY)
    with pytest.raises(DependencyDown):
        await house.open_session()("ben/1", device_id=None)
    assert house.sessions.opened == {}
    assert (await house.open_session()("ben/1", device_id=None)).person.member_id == "ben"


async def test_when_the_database_goes_away_the_token_is_given_back() -> None:
    house = make()
    house.database.is_down = True
    with pytest.raises(DependencyDown):
        await house.open_session()("ben/1", device_id=None)
    house.database.is_down = False
    assert (await house.open_session()("ben/1", device_id=None)).person.member_id == "ben"


async def test_a_refusal_of_synapse_opens_no_session() -> None:
    house = make()
    house.homeserver.fail("log_in", refusal())
    with pytest.raises(HomeserverRefused):
        await house.open_session()("ben/1", device_id=None)
    assert house.sessions.opened == {}


async def test_a_session_waits_until_the_ones_before_it_are_ended() -> None:
    house = make()
    async with house.database.work(ACME) as work:
        await work.person_tasks.enqueue("log_out", [MemberID("ben")])
    opening = asyncio.create_task(house.open_session()("ben/1", device_id=None))
    done, _ = await asyncio.wait({opening}, timeout=0.2)
    assert not done
    assert house.homeserver.logins == []
    house.database.memory.person_tasks.clear()
    assert (await opening).person.member_id == "ben"


async def test_when_the_end_of_earlier_sessions_takes_long_the_person_is_told_to_try_again() -> None:
    house = make()
    async with house.database.work(ACME) as work:
        await work.person_tasks.enqueue("standing", [MemberID("ben")])
    opening = asyncio.create_task(house.open_session()("ben/1", device_id=None))
    await asyncio.sleep(0)
    house.clock.pass_seconds(5)
    with pytest.raises(DependencyDown):
        await opening
    house.database.memory.person_tasks.clear()
    await house.open_session()("ben/1", device_id=None)  # the token was given back


async def test_sessions_that_end_while_one_is_opened_end_that_one_too() -> None:
    house = make()

    async def log_in(user_id: UserID, device_id: DeviceID | None) -> Login:
        house.sessions.epochs[MemberID("ben")] = 1
        return await FakeHomeserver.log_in(house.homeserver, user_id, device_id)

    house.homeserver.log_in = log_in  # type: ignore[method-assign]
    with pytest.raises(DependencyDown):
        await house.open_session()("ben/1", device_id=None)
    assert house.sessions.opened == {}
    assert house.homeserver.logged_out == ["MADE"]


async def test_the_homeserver_is_told_to_wait_while_earlier_sessions_are_ended() -> None:
    house = make()
    decide = DecideLogin(database=house.database, bots=BOTS, human_prefix="u_")
    async with house.database.work(ACME) as work:
        await work.person_tasks.enqueue("log_out", [MemberID("ben")])
    sentence = await decide(user("ben"))
    assert sentence is not None
    assert "try again" in sentence


CREDENTIAL = SessionCredential(session_id=b"s".hex(), member_id=MemberID("ben"), user_id=user("ben"), device_id="PHONE")


async def test_signing_out_ends_the_session_and_deletes_the_device() -> None:
    house = make()
    await CloseSession(sessions=house.sessions, homeserver=house.homeserver)(CREDENTIAL)
    assert (house.sessions.removed, house.homeserver.logged_out) == ([CREDENTIAL.session_id], ["PHONE"])


async def test_a_session_stays_ended_when_synapse_is_away() -> None:
    house = make()
    house.homeserver.fail("log_out", AWAY)
    with pytest.raises(DependencyDown):
        await CloseSession(sessions=house.sessions, homeserver=house.homeserver)(CREDENTIAL)
    assert house.sessions.removed == [CREDENTIAL.session_id]


@pytest.mark.parametrize(
    ("user_id", "is_welcome"),
    [
        (user("ben"), True),
        (user("root"), True),
        (user("nobody"), False),
        (user("idle"), False),
        (user("gil"), False),
        (user("stranger"), False),
        (user("BEN"), False),
        (BOTS.relay, True),
        (UserID("@operator:s"), True),
    ],
)
async def test_the_homeserver_is_told_who_may_log_in(user_id: UserID, *, is_welcome: bool) -> None:
    decide = DecideLogin(database=make().database, bots=BOTS, human_prefix="u_")
    assert (await decide(user_id) is None) is is_welcome


async def test_a_suspended_person_is_not_welcome_any_more() -> None:
    house = make()
    ben = house.database.memory.people[MemberID("ben")]
    house.database.memory.people[MemberID("ben")] = replace(ben, active=False)
    with pytest.raises(Forbidden):
        await house.open_session()("ben/1", device_id=None)
