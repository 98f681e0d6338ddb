"""The module inside a real Synapse: each rule by each door, as a person, by masquerade and as a server admin.

The rooms here have power levels that allow everything to everybody, so what is refused is refused by the module.
"""

import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from module_acts import CREATIONS, FORBIDDEN, ROOM, STATE
from module_stage import KINDS, Stage, assert_refused, set_stage
from stand_in_bridge import FAILURES, Json, allow, replying
from synapse_harness import (
    CLIENT,
    CREATOR,
    KEEPER,
    POLICY_TIMEOUT_SECONDS,
    RELAY,
    SERVER_NAME,
    Actor,
    Answer,
    Homeserver,
    Tenant,
    create_room,
    run_homeserver,
    start_synapse_in_vain,
)


@pytest.fixture(scope="session")
async def homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Homeserver]:
    async with run_homeserver(tmp_path_factory.mktemp("synapse"), allow) as running:
        yield running


@pytest.fixture(scope="session", params=["12", "11"], ids=["version12", "version11"])
async def stage(request: pytest.FixtureRequest, homeserver: Homeserver) -> Stage:
    return await set_stage(homeserver, room_version=request.param)


# --- what nobody may do in a room -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("act", FORBIDDEN)
async def test_nobody_does_this_in_a_room(stage: Stage, act: str, kind: str) -> None:
    method, path, body, reason = FORBIDDEN[act]
    before = await stage.state()
    path, body = stage.fill(path, kind), stage.fill_body(body, kind)
    await assert_refused(stage.actors[kind], method, path, body, reason, doors=stage.doors)
    assert await stage.state() == before


@pytest.mark.parametrize("kind", ["person", "server_admin"])
async def test_a_room_gets_no_address(stage: Stage, kind: str) -> None:
    path = f"/directory/room/%23mine%3A{SERVER_NAME}"
    await assert_refused(stage.actors[kind], "PUT", path, {"room_id": stage.acme.room_id}, "alias")


async def test_nobody_is_invited_by_address(stage: Stage) -> None:
    """Before an identity server is asked; where Synapse lets a module say no, it does not let it say why."""
    asked = ("check_threepid_can_be_invited", "deny", "third_party_invite")
    before = await count_decisions(stage.homeserver, *asked)
    body = {"id_server": "localhost:1", "id_access_token": "t", "medium": "email", "address": "x@example.com"}
    for actor in (*stage.actors.values(), stage.homeserver.creator):
        answer = await actor.ask("POST", f"{CLIENT}/rooms/{stage.acme.room_id}/invite", body)
        assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN"), answer
    assert await count_decisions(stage.homeserver, *asked) == before + 4


async def test_encryption_is_refused_to_our_bots_too(stage: Stage) -> None:
    path = stage.fill(f"{STATE}/m.room.encryption")
    await assert_refused(stage.homeserver.creator, "PUT", path, {"algorithm": "m.megolm.v1.aes-sha2"}, "encryption")


TWO_SPACES = [{"type": "m.room_membership", "room_id": room_id} for room_id in ("!a", "!b")]


@pytest.mark.parametrize(
    ("event_type", "content", "reason"),
    [
        ("m.room.join_rules", {"join_rule": "public"}, "open_room"),
        ("m.room.join_rules", {"join_rule": "knock"}, "open_room"),
        ("m.room.join_rules", {"join_rule": "restricted", "allow": TWO_SPACES}, "open_room"),
        ("m.room.history_visibility", {"history_visibility": "world_readable"}, "open_room"),
        ("m.room.power_levels", {"users": {"{colleague}": 101}}, "power_levels"),
        ("m.room.third_party_invite", {}, "third_party_invite"),
    ],
)
async def test_even_our_creator_sets_no_such_thing(stage: Stage, event_type: str, content: Json, reason: str) -> None:
    path = stage.fill(f"{STATE}/{event_type}")
    await assert_refused(stage.homeserver.creator, "PUT", path, stage.fill_body(content), reason)


async def test_a_server_admin_raises_nobody_above_an_owner(stage: Stage) -> None:
    path = f"/_synapse/admin/v1/rooms/{stage.acme.room_id}/make_room_admin"
    body = {"user_id": stage.actors["person"].user_id}
    await stage.strangers["server_admin"].ask("POST", path, body)
    levels = await stage.homeserver.creator.do("GET", stage.fill(f"{STATE}/m.room.power_levels"))
    assert levels["users"].get(stage.actors["person"].user_id, 0) <= 100


async def test_our_other_bots_set_nothing(stage: Stage) -> None:
    relay = await stage.acme.admit(stage.homeserver.masquerade(RELAY))
    await assert_refused(relay, "PUT", stage.fill(f"{STATE}/m.room.power_levels"), {}, "power_levels")
    await assert_refused(relay, "PUT", stage.fill(f"{STATE}/com.bitnexus.room"), {}, "reserved_type")
    body = stage.fill_body({"user_id": "{stranger}"})
    await assert_refused(relay, "POST", stage.fill(f"{ROOM}/invite"), body, "invite")
    await relay.say(stage.acme.room_id)


# --- rooms are made by our creators alone ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("creation", CREATIONS)
async def test_nobody_makes_a_room(stage: Stage, creation: str, kind: str) -> None:
    actor = stage.actors[kind]
    before = await actor.do("GET", "/joined_rooms")
    body, reason = CREATIONS[creation]
    await assert_refused(actor, "POST", "/createRoom", stage.fill_body(body, kind), reason, doors=stage.doors)
    assert await actor.do("GET", "/joined_rooms") == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"initial_state": [{"type": "m.room.encryption", "content": {"algorithm": "x"}}]}, "encryption"),
        ({"visibility": "public"}, "open_room"),
        ({"preset": "public_chat"}, "open_room"),
        ({"room_alias_name": "general"}, "alias"),
        ({"creation_content": {"predecessor": {"room_id": "!x", "event_id": "$x"}}}, "room_upgrade"),
        ({"creation_content": {"additional_creators": [f"@u_anna:{SERVER_NAME}"]}}, "foreign_creator"),
        ({"preset": "trusted_private_chat", "invite": [f"@u_anna:{SERVER_NAME}"]}, "foreign_creator"),
        ({"invite_3pid": [{"medium": "email"}]}, "third_party_invite"),
    ],
)
async def test_even_our_creator_makes_no_such_room(homeserver: Homeserver, body: Json, reason: str) -> None:
    before = await homeserver.creator.do("GET", "/joined_rooms")
    await assert_refused(homeserver.creator, "POST", "/createRoom", body, reason)
    assert await homeserver.creator.do("GET", "/joined_rooms") == before


async def test_our_relay_makes_no_room(homeserver: Homeserver) -> None:
    await assert_refused(homeserver.masquerade(RELAY), "POST", "/createRoom", {}, "room_creation")


# --- tenants stay apart ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["person", "masquerade"])
async def test_a_stranger_comes_in_by_no_way(stage: Stage, kind: str) -> None:
    stranger = stage.strangers[kind]
    before = await stage.state()
    for room_id in (stage.acme.room_id, stage.acme.space_id):
        await assert_refused(stranger, "POST", f"/join/{room_id}", {}, "join")
        await assert_refused(stranger, "POST", f"/rooms/{room_id}/join", {}, "join")
        path = f"/rooms/{room_id}/state/m.room.member/{stranger.user_id}"
        await assert_refused(stranger, "PUT", path, {"membership": "join"}, "join")
    assert await stage.state() == before


async def test_a_server_admin_comes_in_by_no_way(stage: Stage) -> None:
    admin = stage.strangers["server_admin"]
    before = await stage.state()
    for room_id in (stage.acme.room_id, stage.acme.space_id):
        for path in (f"/join/{room_id}", f"/rooms/{room_id}/join"):
            # Synapse asks no module here and looks at its own rules first, which refuse, too
            answer = await admin.ask("POST", CLIENT + path, {})
            assert (answer.status, answer.body["errcode"]) == (403, "M_FORBIDDEN"), answer
    assert await stage.state() == before


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_knocks(stage: Stage, kind: str) -> None:
    stranger = stage.strangers[kind]
    for room_id in (stage.acme.room_id, stage.acme.space_id):
        await assert_refused(stranger, "POST", f"/knock/{room_id}", {}, "knock")
        path = f"/rooms/{room_id}/state/m.room.member/{stranger.user_id}"
        await assert_refused(stranger, "PUT", path, {"membership": "knock"}, "knock")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_join_rule_does_not_let_a_stranger_in(stage: Stage, kind: str) -> None:
    marker = {"tenant_id": stage.acme.tenant_id, "key": "open", "type": "custom", "space_id": stage.acme.space_id}
    room_id = await create_room(stage.homeserver, marker, allow=stage.globex.space_id)
    await assert_refused(stage.strangers[kind], "POST", f"/join/{room_id}", {}, "join")


async def test_a_marker_that_mixes_two_tenants_admits_nobody(stage: Stage) -> None:
    marker = {"tenant_id": stage.acme.tenant_id, "key": "mixed", "type": "custom", "space_id": stage.globex.space_id}
    room_id = await create_room(stage.homeserver, marker)
    for person in (stage.strangers["person"], stage.actors["person"]):
        await assert_refused(person, "POST", f"/join/{room_id}", {}, "join")


async def test_a_room_without_marker_admits_nobody(stage: Stage) -> None:
    room_id = (await stage.homeserver.creator.do("POST", "/createRoom", {"preset": "private_chat"}))["room_id"]
    person = stage.actors["person"]
    body = {"user_id": person.user_id}
    await assert_refused(stage.homeserver.creator, "POST", f"/rooms/{room_id}/invite", body, "not_a_tenant_room")
    await assert_refused(person, "POST", f"/join/{room_id}", {}, "join")
    await stage.homeserver.creator.do("POST", f"/rooms/{room_id}/invite", {"user_id": KEEPER})
    await stage.homeserver.masquerade(KEEPER).do("POST", f"/join/{room_id}", {})


async def test_a_foreign_room_and_an_absent_one_answer_alike(stage: Stage) -> None:
    absent = f"!absent:{SERVER_NAME}" if ":" in stage.acme.room_id else "!" + "a" * 43
    answers = [
        await stage.strangers["person"].ask("POST", f"{CLIENT}/join/{room_id}", {})
        for room_id in (stage.acme.room_id, stage.acme.space_id, absent)
    ]
    assert answers[0].refusal == (403, "M_FORBIDDEN", "join")
    assert answers[0] == answers[1] == answers[2]


async def test_our_bot_does_not_invite_a_stranger(stage: Stage) -> None:
    body = {"user_id": stage.strangers["person"].user_id}
    for bot in (stage.homeserver.creator, stage.homeserver.masquerade(KEEPER)):
        path = f"/rooms/{stage.acme.room_id}/invite"
        await assert_refused(bot, "POST", path, body, "invitee_outside_tenant")


async def test_a_server_admin_forces_nobody_in(stage: Stage) -> None:
    path = f"/_synapse/admin/v1/join/{stage.acme.room_id}"
    answer = await stage.actors["server_admin"].ask("POST", path, {"user_id": stage.strangers["person"].user_id})
    assert answer.refusal == (403, "M_FORBIDDEN", "invite"), answer


async def test_whoever_left_the_space_does_not_come_back_alone(stage: Stage) -> None:
    number = len(stage.acme.room_id)
    guest = await stage.acme.admit(await stage.homeserver.register(f"u_{stage.acme.tenant_id}_guest{number}"))
    await guest.do("POST", f"/rooms/{stage.acme.room_id}/leave", {})
    await guest.do("POST", f"/join/{stage.acme.room_id}", {})
    await guest.do("POST", f"/rooms/{stage.acme.room_id}/leave", {})
    await guest.do("POST", f"/rooms/{stage.acme.space_id}/leave", {})
    await assert_refused(guest, "POST", f"/join/{stage.acme.space_id}", {}, "join")
    await assert_refused(guest, "POST", f"/join/{stage.acme.room_id}", {}, "join")


# --- what people do all day -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_people_write_react_edit_pin_and_remove(stage: Stage, kind: str) -> None:
    actor, room = stage.actors[kind], f"/rooms/{stage.acme.room_id}"
    event_id = await actor.say(stage.acme.room_id)
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": kind}}
    await actor.do("PUT", f"{room}/send/m.reaction/r{event_id[1:9]}", reaction)
    edit = {"msgtype": "m.text", "body": "* x", "m.new_content": {"msgtype": "m.text", "body": "x"}}
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": event_id}}
    await actor.do("PUT", f"{room}/send/m.room.message/e{event_id[1:9]}", {**edit, **relation})
    await actor.do("PUT", f"{room}/state/m.room.pinned_events", {"pinned": [event_id]})
    await actor.do("PUT", f"{room}/redact/{event_id}/x{event_id[1:9]}", {"reason": "done"})


@pytest.mark.parametrize("kind", KINDS)
async def test_people_change_their_name(stage: Stage, kind: str) -> None:
    actor = stage.actors[kind]
    member = f"/rooms/{stage.acme.room_id}/state/m.room.member/{actor.user_id}"
    await actor.do("PUT", member, {"membership": "join", "displayname": f"Here {kind}"})
    assert (await actor.do("GET", member))["displayname"] == f"Here {kind}"


async def test_moderators_kick_and_ban_natively(stage: Stage) -> None:
    number = len(stage.acme.room_id)
    guest = await stage.acme.admit(await stage.homeserver.register(f"u_{stage.acme.tenant_id}_kicked{number}"))
    person, room = stage.actors["person"], f"/rooms/{stage.acme.room_id}"
    levels = await stage.homeserver.creator.do("GET", f"{room}/state/m.room.power_levels")
    levels["users"] = {**levels.get("users", {}), person.user_id: 50}
    await stage.homeserver.creator.do("PUT", f"{room}/state/m.room.power_levels", levels)
    await person.do("POST", f"{room}/kick", {"user_id": guest.user_id})
    for path in (f"/join/{stage.acme.room_id}", f"{room}/join"):
        await assert_refused(guest, "POST", path, {}, "excluded", doors=stage.doors)
    await stage.homeserver.creator.do("POST", f"{room}/invite", {"user_id": guest.user_id})
    await guest.do("POST", f"/join/{stage.acme.room_id}", {})
    await person.do("POST", f"{room}/ban", {"user_id": guest.user_id})
    await person.do("POST", f"{room}/unban", {"user_id": guest.user_id})
    await assert_refused(guest, "POST", f"{room}/join", {}, "excluded", doors=stage.doors)


async def test_whom_our_bot_took_out_comes_back_alone(stage: Stage) -> None:
    number = len(stage.acme.room_id)
    guest = await stage.acme.admit(await stage.homeserver.register(f"u_{stage.acme.tenant_id}_out{number}"))
    room = f"/rooms/{stage.acme.room_id}"
    await stage.homeserver.creator.do("POST", f"{room}/kick", {"user_id": guest.user_id})
    await guest.do("POST", f"{room}/join", {})
    await guest.do("POST", f"{room}/leave", {})
    await guest.do("POST", f"{room}/join", {})


async def test_our_bot_invites_a_colleague(stage: Stage) -> None:
    marker = {"tenant_id": stage.acme.tenant_id, "key": "private", "type": "custom", "space_id": stage.acme.space_id}
    room_id = await create_room(stage.homeserver, marker)
    person = stage.actors["person"]
    await stage.homeserver.creator.do("POST", f"/rooms/{room_id}/invite", {"user_id": person.user_id})
    await person.do("POST", f"/join/{room_id}", {})
    await person.say(room_id)


async def test_creators_come_back_into_a_direct_message(stage: Stage) -> None:
    marker = {"tenant_id": stage.acme.tenant_id, "key": "dm", "type": "dm", "space_id": stage.acme.space_id}
    room_id = await create_room(stage.homeserver, marker)
    person, creator = stage.actors["person"], stage.homeserver.creator
    await person.do("POST", f"/join/{room_id}", {})
    for bot in (stage.homeserver.masquerade(KEEPER), creator):
        await bot.do("POST", f"/rooms/{room_id}/leave", {})
    await assert_refused(person, "POST", f"/rooms/{room_id}/invite", {"user_id": RELAY}, "invite")
    await stage.actors["masquerade"].do("POST", f"/rooms/{room_id}/invite", {"user_id": CREATOR})
    await creator.do("POST", f"/join/{room_id}", {})
    await creator.do("PUT", f"/rooms/{room_id}/state/m.room.topic", {"topic": "back"})


# --- when the module itself fails -----------------------------------------------------------------------------------


async def test_a_failure_inside_the_module_is_a_refusal_with_a_sentence(stage: Stage) -> None:
    homeserver, acme = stage.homeserver, stage.acme
    unlucky = await homeserver.register("u_unlucky" + acme.tenant_id)
    body = {"user_id": unlucky.user_id}
    await assert_refused(homeserver.creator, "POST", f"/rooms/{acme.space_id}/invite", body, "module_failed")
    await assert_refused(unlucky, "POST", f"/join/{acme.space_id}", {}, "module_failed")
    path = f"/rooms/{acme.room_id}/send/m.room.message/1"
    for actor in (*stage.actors.values(), homeserver.creator):
        message = {"msgtype": "m.text", "body": "x", "test.unlucky": True}
        await assert_refused(actor, "PUT", path, message, "module_failed")
    assert "The BitNexus module failed in check_event_allowed" in homeserver.log
    assert "RuntimeError: the state cannot be read" in homeserver.log


# --- signing in -----------------------------------------------------------------------------------------------------


@dataclass
class Account:
    """Somebody with a password."""

    homeserver: Homeserver
    name: str = "u_password"
    password: str = "a long password"

    async def sign_in(self) -> Answer:
        identifier = {"type": "m.id.user", "user": self.name}
        body = {"type": "m.login.password", "identifier": identifier, "password": self.password}
        return await Actor(self.homeserver, "", "").ask("POST", f"{CLIENT}/login", body)


@pytest.fixture(scope="session")
async def account(homeserver: Homeserver) -> Account:
    account = Account(homeserver)
    admin = await homeserver.register_admin("u_operator")
    path = f"/_synapse/admin/v2/users/@{account.name}:{SERVER_NAME}"
    assert (await admin.ask("PUT", path, {"password": account.password})).status == 201
    return account


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_clear_yes_is_a_no(account: Account, stage: Stage, failure: str) -> None:
    bridge = account.homeserver.bridge
    bridge.answer, reason = FAILURES[failure]
    started = time.monotonic()
    try:
        answer = await account.sign_in()
        took = time.monotonic() - started
        await stage.actors["person"].say(stage.acme.room_id, "rooms go on without the bridge")
    finally:
        bridge.answer = allow
    assert answer.refusal == (403, "M_FORBIDDEN", reason)
    assert answer.sentence == "Signing in cannot be checked just now. Please try again in a minute."
    assert took < POLICY_TIMEOUT_SECONDS + 5.0
    assert (await account.sign_in()).status == 200


async def test_an_absent_bridge_is_a_no_except_to_our_own_accounts(account: Account, stage: Stage) -> None:
    bridge = account.homeserver.bridge
    await bridge.stop()
    try:
        answer = await account.sign_in()
        own: list[Any] = [
            await sign_in_by_application_service(account.homeserver, user_id) for user_id in (RELAY, KEEPER)
        ]
        await stage.actors["person"].say(stage.acme.room_id, "rooms go on without the bridge")
    finally:
        await bridge.start()
    assert answer.refusal == (403, "M_FORBIDDEN", "bridge_unreachable")
    assert [each.status for each in own] == [200, 200]
    assert (await account.sign_in()).status == 200


async def test_the_bridges_no_comes_with_its_sentence(account: Account) -> None:
    bridge = account.homeserver.bridge
    sentence = "Acme is suspended until Monday."
    bridge.answer = replying(200, json.dumps({"allow": False, "sentence": sentence}))
    try:
        answers = [
            await account.sign_in(),
            await sign_in_by_application_service(account.homeserver, f"@{account.name}:{SERVER_NAME}"),
        ]
    finally:
        bridge.answer = allow
    for answer in answers:
        assert answer.refusal == (403, "M_FORBIDDEN", "bridge_denies")
        assert answer.sentence == sentence


async def test_the_bridge_is_asked_about_the_account_over_one_connection(account: Account) -> None:
    bridge = account.homeserver.bridge
    seen = len(bridge.questions)
    for _ in range(5):
        assert (await account.sign_in()).status == 200
    assert bridge.questions[seen:] == [{"user_id": f"@{account.name}:{SERVER_NAME}"}] * 5
    assert set(bridge.credentials) == {f"Bearer {bridge.secret}"}
    # the first may find the connection that an earlier test has broken
    assert len(set(bridge.connections[seen + 1 :])) == 1


async def sign_in_by_application_service(homeserver: Homeserver, user_id: str) -> Answer:
    body = {"type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": user_id}}
    return await Actor(homeserver, "", homeserver.as_token).ask("POST", f"{CLIENT}/login", body)


# --- operation ------------------------------------------------------------------------------------------------------


async def metrics_of(homeserver: Homeserver) -> list[str]:
    text = (await Actor(homeserver, "", "").ask("GET", "/_synapse/metrics")).body
    return [line for line in text.splitlines() if line.startswith("bitnexus_module_")]


async def count_decisions(homeserver: Homeserver, callback: str, decision: str, reason: str) -> float:
    labels = f'{{callback="{callback}",decision="{decision}",reason="{reason}"}} '
    lines = [line for line in await metrics_of(homeserver) if labels in line and "_total" in line]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


COUNTED = (
    ("check_event_allowed", "deny", "encryption"),
    ("check_event_allowed", "allow", "ordinary_event"),
    ("on_create_room", "allow", "by_us"),
    ("user_may_create_room", "allow", "by_us"),
    ("user_may_join_room", "allow", "member_of_tenant"),
    ("user_may_invite", "allow", "invited_by_us"),
    ("check_login_for_spam", "allow", "bridge_allows"),
)


async def test_decisions_are_counted(stage: Stage, account: Account) -> None:
    before = [await count_decisions(stage.homeserver, *labels) for labels in COUNTED]
    await stage.actors["person"].ask("PUT", f"{CLIENT}{stage.fill(STATE)}/m.room.encryption", {})
    await stage.actors["person"].say(stage.acme.room_id)
    await Tenant.create(stage.homeserver, "counted")
    await stage.acme.admit(await stage.homeserver.register(f"u_counted_{secrets.token_hex(4)}"))
    await account.sign_in()
    after = [await count_decisions(stage.homeserver, *labels) for labels in COUNTED]
    assert [labels for labels, old, new in zip(COUNTED, before, after, strict=True) if new <= old] == []


async def test_metrics_have_no_ids(stage: Stage, account: Account) -> None:
    await account.sign_in()
    lines = await metrics_of(stage.homeserver)
    assert not [line for line in lines if set("@!$") & set(line)]
    assert any(line.startswith('bitnexus_module_bridge_seconds_count{question="login"}') for line in lines)


async def test_no_secret_is_in_the_log(homeserver: Homeserver, account: Account) -> None:
    assert (await account.sign_in()).status == 200
    assert homeserver.bridge.secret not in homeserver.log


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"policy_uri": "x"}, "unknown setting 'policy_uri'"),
        ({"secret": ""}, "setting 'secret' is missing"),
        ({"creators": ["@bitnexus:elsewhere.test"]}, "'@bitnexus:elsewhere.test' is not an account of this server"),
    ],
)
async def test_synapse_does_not_start_on_wrong_settings(tmp_path: Path, change: Json, sentence: str) -> None:
    assert sentence in await start_synapse_in_vain(tmp_path, change)
