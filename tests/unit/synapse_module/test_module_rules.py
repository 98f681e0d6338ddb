"""The module's rules, case by case."""

import pytest
from bitnexus_synapse_module import rules
from bitnexus_synapse_module.decision import SENTENCES, Decision, Grant, Refusal
from bitnexus_synapse_module.snapshot import Event, Marker, Room
from module_cases import (
    ANNA,
    ASSISTANT,
    BEN,
    BITNEXUS,
    DM,
    GENERAL,
    GENERAL_FOR_COLLEAGUE,
    KEEPER,
    OURS,
    RELAY,
    SPACE,
    SPACE_ID,
    STRANGER,
    UNMARKED,
    WITH_STRANGER,
    member,
    message,
    state,
    with_member,
)

EVENTS = [
    # what people do all day
    ("message", message("m.room.message", ANNA, {"body": "hi"}), GENERAL_FOR_COLLEAGUE, Grant.ORDINARY_EVENT),
    ("reaction", message("m.reaction", ANNA), GENERAL_FOR_COLLEAGUE, Grant.ORDINARY_EVENT),
    ("redaction", message("m.room.redaction", ANNA), GENERAL_FOR_COLLEAGUE, Grant.ORDINARY_EVENT),
    ("message in space", message("m.room.message", ANNA), SPACE, Grant.ORDINARY_EVENT),
    ("pin", state("m.room.pinned_events", ANNA), GENERAL_FOR_COLLEAGUE, Grant.ORDINARY_EVENT),
    ("message by one put out of the tenant", message("m.room.message", ANNA), GENERAL, Refusal.NO_LONGER_ADMITTED),
    ("redaction by one put out", message("m.room.redaction", ANNA), GENERAL, Refusal.NO_LONGER_ADMITTED),
    ("message from outside", message("m.room.message", STRANGER), WITH_STRANGER, Grant.ORDINARY_EVENT),
    ("pin from outside", state("m.room.pinned_events", STRANGER), WITH_STRANGER, Grant.ORDINARY_EVENT),
    ("name from outside", state("m.room.name", STRANGER), WITH_STRANGER, Refusal.ROOM_SETTING),
    (
        "message of an outsider whom we do not name",
        message("m.room.message", BEN),
        WITH_STRANGER,
        Refusal.NO_LONGER_ADMITTED,
    ),
    ("an outsider whom we invite", member(BITNEXUS, STRANGER, "invite"), WITH_STRANGER, Grant.MEMBER_OF_TENANT),
    ("an outsider who comes in", member(STRANGER, STRANGER, "join"), WITH_STRANGER, Grant.MEMBER_OF_TENANT),
    ("an outsider whom a person invites", member(ANNA, STRANGER, "invite"), WITH_STRANGER, Refusal.INVITE),
    ("an outsider's friend", member(BEN, BEN, "join"), WITH_STRANGER, Refusal.JOIN),
    ("relay speaks", message("m.room.message", RELAY), GENERAL, Grant.BY_US),
    ("assistant speaks in our own terms", message("m.room.message", ASSISTANT), GENERAL, Grant.BY_US),
    # encryption is for nobody
    ("encryption by person", state("m.room.encryption", ANNA), GENERAL, Refusal.ENCRYPTION),
    ("encryption by creator", state("m.room.encryption", BITNEXUS), GENERAL, Refusal.ENCRYPTION),
    ("encryption while created", state("m.room.encryption", BITNEXUS), UNMARKED, Refusal.ENCRYPTION),
    ("encrypted message", message("m.room.encrypted", ANNA), GENERAL, Refusal.ENCRYPTION),
    ("encrypted message by bot", message("m.room.encrypted", RELAY), GENERAL, Refusal.ENCRYPTION),
    ("encryption as message", message("m.room.encryption", ANNA), GENERAL, Refusal.ENCRYPTION),
    # what only creators may set
    ("power levels by person", state("m.room.power_levels", ANNA), GENERAL, Refusal.POWER_LEVELS),
    ("power levels by bot", state("m.room.power_levels", RELAY), GENERAL, Refusal.POWER_LEVELS),
    ("power levels with a key", state("m.room.power_levels", ANNA, state_key="x"), GENERAL, Refusal.POWER_LEVELS),
    ("power levels as message", message("m.room.power_levels", ANNA), GENERAL, Refusal.POWER_LEVELS),
    ("power levels by creator", state("m.room.power_levels", BITNEXUS), GENERAL, Grant.BY_US),
    ("power levels while created", state("m.room.power_levels", BITNEXUS), UNMARKED, Grant.BY_US),
    ("an owner", state("m.room.power_levels", BITNEXUS, {"users": {ANNA: 100, RELAY: 149}}), GENERAL, Grant.BY_US),
    (
        "somebody above an owner",
        state("m.room.power_levels", BITNEXUS, {"users": {ANNA: 101}}),
        GENERAL,
        Refusal.POWER_LEVELS,
    ),
    (
        "power that is no number",
        state("m.room.power_levels", BITNEXUS, {"users": {ANNA: "100"}}),
        GENERAL,
        Refusal.POWER_LEVELS,
    ),
    ("tombstone by person", state("m.room.tombstone", ANNA), GENERAL, Refusal.ROOM_UPGRADE),
    ("tombstone by keeper", state("m.room.tombstone", KEEPER), GENERAL, Grant.BY_US),
    ("alias by person", state("m.room.canonical_alias", ANNA), GENERAL, Refusal.ALIAS),
    ("name by person", state("m.room.name", ANNA), GENERAL, Refusal.ROOM_SETTING),
    ("child by person", state("m.space.child", ANNA, state_key="!r"), SPACE, Refusal.ROOM_SETTING),
    ("parent by person", state("m.space.parent", ANNA, state_key="!r"), GENERAL, Refusal.ROOM_SETTING),
    ("acl by person", state("m.room.server_acl", ANNA), GENERAL, Refusal.ROOM_SETTING),
    ("guests by person", state("m.room.guest_access", ANNA), GENERAL, Refusal.ROOM_SETTING),
    ("history by person", state("m.room.history_visibility", ANNA), GENERAL, Refusal.ROOM_SETTING),
    ("widget by person", state("im.vector.modular.widgets", ANNA), GENERAL, Refusal.ROOM_SETTING),
    ("unknown state by bot", state("org.example.x", RELAY), GENERAL, Refusal.ROOM_SETTING),
    ("marker by person", state("com.bitnexus.room", ANNA), GENERAL, Refusal.RESERVED_TYPE),
    ("marker by bot", state("com.bitnexus.room", ASSISTANT), GENERAL, Refusal.RESERVED_TYPE),
    ("sanction by person", state("com.bitnexus.sanction", ANNA, state_key="u_b:s"), GENERAL, Refusal.RESERVED_TYPE),
    ("our type as message", message("com.bitnexus.room", ANNA), GENERAL, Refusal.RESERVED_TYPE),
    ("marker by creator", state("com.bitnexus.room", BITNEXUS), UNMARKED, Grant.BY_US),
    ("invited by e-mail", state("m.room.third_party_invite", ANNA), GENERAL, Refusal.THIRD_PARTY_INVITE),
    ("invited by e-mail by us", state("m.room.third_party_invite", BITNEXUS), GENERAL, Refusal.THIRD_PARTY_INVITE),
    # open rooms: nobody
    ("public", state("m.room.join_rules", BITNEXUS, {"join_rule": "public"}), GENERAL, Refusal.OPEN_ROOM),
    ("knock", state("m.room.join_rules", BITNEXUS, {"join_rule": "knock"}), GENERAL, Refusal.OPEN_ROOM),
    ("knock 2", state("m.room.join_rules", BITNEXUS, {"join_rule": "knock_restricted"}), GENERAL, Refusal.OPEN_ROOM),
    ("no rule", state("m.room.join_rules", BITNEXUS), GENERAL, Refusal.OPEN_ROOM),
    ("invite", state("m.room.join_rules", BITNEXUS, {"join_rule": "invite"}), GENERAL, Grant.BY_US),
    (
        "restricted to one space",
        state("m.room.join_rules", BITNEXUS, {"join_rule": "restricted", "allow": [{"room_id": SPACE_ID}]}),
        GENERAL,
        Grant.BY_US,
    ),
    (
        "restricted to two spaces",
        state("m.room.join_rules", BITNEXUS, {"join_rule": "restricted", "allow": [{}, {}]}),
        GENERAL,
        Refusal.OPEN_ROOM,
    ),
    ("rule by person", state("m.room.join_rules", ANNA, {"join_rule": "invite"}), GENERAL, Refusal.ROOM_SETTING),
    ("rule by bot", state("m.room.join_rules", RELAY, {"join_rule": "public"}), GENERAL, Refusal.OPEN_ROOM),
    (
        "history for the world",
        state("m.room.history_visibility", BITNEXUS, {"history_visibility": "world_readable"}),
        GENERAL,
        Refusal.OPEN_ROOM,
    ),
    (
        "history for members",
        state("m.room.history_visibility", BITNEXUS, {"history_visibility": "shared"}),
        GENERAL,
        Grant.BY_US,
    ),
    # how rooms come about
    ("room by creator", state("m.room.create", BITNEXUS), UNMARKED, Grant.BY_US),
    ("room by person", state("m.room.create", ANNA), UNMARKED, Refusal.ROOM_CREATION),
    ("room by bot", state("m.room.create", RELAY), UNMARKED, Refusal.ROOM_CREATION),
    (
        "keeper too",
        state("m.room.create", BITNEXUS, {"additional_creators": [KEEPER]}),
        UNMARKED,
        Grant.BY_US,
    ),
    (
        "person as creator",
        state("m.room.create", BITNEXUS, {"additional_creators": [KEEPER, ANNA]}),
        UNMARKED,
        Refusal.FOREIGN_CREATOR,
    ),
    (
        "bot as creator",
        state("m.room.create", BITNEXUS, {"additional_creators": [RELAY]}),
        UNMARKED,
        Refusal.FOREIGN_CREATOR,
    ),
    (
        "creators are no list",
        state("m.room.create", BITNEXUS, {"additional_creators": {"a": 1}}),
        UNMARKED,
        Refusal.FOREIGN_CREATOR,
    ),
    ("upgrade by person", state("m.room.create", ANNA, {"predecessor": {}}), UNMARKED, Refusal.ROOM_UPGRADE),
    ("upgrade by us", state("m.room.create", BITNEXUS, {"predecessor": {}}), UNMARKED, Refusal.ROOM_UPGRADE),
    # rooms that are nobody's
    ("message in an unmarked room", message("m.room.message", ANNA), UNMARKED, Refusal.NOT_A_TENANT_ROOM),
    ("bot in an unmarked room", message("m.room.message", RELAY), UNMARKED, Grant.BY_US),
    # memberships that are no join and no invitation
    ("leave", member(ANNA, ANNA, "leave"), GENERAL, Grant.DEPARTURE),
    ("leave an unmarked room", member(ANNA, ANNA, "leave"), UNMARKED, Grant.DEPARTURE),
    ("kick", member(ANNA, BEN, "leave"), GENERAL, Grant.DEPARTURE),
    ("ban", member(ANNA, BEN, "ban"), GENERAL, Grant.DEPARTURE),
    ("kick by us", member(BITNEXUS, BEN, "leave"), UNMARKED, Grant.BY_US),
    ("kick in an unmarked room", member(ANNA, BEN, "leave"), UNMARKED, Refusal.NOT_A_TENANT_ROOM),
    ("ban oneself in an unmarked room", member(ANNA, ANNA, "ban"), UNMARKED, Refusal.NOT_A_TENANT_ROOM),
    ("knock by person", member(ANNA, ANNA, "knock"), GENERAL_FOR_COLLEAGUE, Refusal.KNOCK),
    ("knock by us", member(BITNEXUS, BITNEXUS, "knock"), GENERAL, Refusal.KNOCK),
    ("unheard of", member(ANNA, ANNA, "haunt"), GENERAL_FOR_COLLEAGUE, Refusal.UNKNOWN_MEMBERSHIP),
    ("no text", member(ANNA, ANNA, ["join"]), GENERAL_FOR_COLLEAGUE, Refusal.UNKNOWN_MEMBERSHIP),
    ("join for another", member(BITNEXUS, ANNA, "join"), GENERAL_FOR_COLLEAGUE, Refusal.JOIN_FOR_ANOTHER),
    (
        "invitation that came by e-mail",
        member(BITNEXUS, ANNA, "invite", third_party_invite={}),
        GENERAL_FOR_COLLEAGUE,
        Refusal.THIRD_PARTY_INVITE,
    ),
    ("membership as message", message("m.room.member", ANNA, {"membership": "join"}), GENERAL, Refusal.ROOM_SETTING),
]


@pytest.mark.parametrize(("event", "room", "expected"), [case[1:] for case in EVENTS], ids=[case[0] for case in EVENTS])
def test_an_event(event: Event, room: Room, expected: Grant | Refusal) -> None:
    assert rules.decide_event(event, room, OURS).reason == expected


JOINS = [
    ("creator anywhere", BITNEXUS, UNMARKED, Grant.BY_US),
    ("bot anywhere", RELAY, GENERAL, Grant.BY_US),
    ("colleague", ANNA, GENERAL_FOR_COLLEAGUE, Grant.MEMBER_OF_TENANT),
    ("colleague, invited", ANNA, with_member(GENERAL_FOR_COLLEAGUE, "invite", BITNEXUS), Grant.MEMBER_OF_TENANT),
    ("colleague who left", ANNA, with_member(GENERAL_FOR_COLLEAGUE, "leave", ANNA), Grant.MEMBER_OF_TENANT),
    ("taken out by us", ANNA, with_member(GENERAL_FOR_COLLEAGUE, "leave", BITNEXUS), Grant.MEMBER_OF_TENANT),
    ("taken out by our bot", ANNA, with_member(GENERAL_FOR_COLLEAGUE, "leave", RELAY), Grant.MEMBER_OF_TENANT),
    ("kicked by a moderator", ANNA, with_member(GENERAL_FOR_COLLEAGUE, "leave", BEN), Refusal.EXCLUDED),
    ("kicked, then invited by us", ANNA, with_member(GENERAL_FOR_COLLEAGUE, "invite", KEEPER), Grant.MEMBER_OF_TENANT),
    ("stranger, kicked by a moderator", STRANGER, with_member(GENERAL, "leave", BEN), Refusal.JOIN),
    ("our bot, kicked by a moderator", RELAY, with_member(GENERAL, "leave", BEN), Grant.BY_US),
    ("stranger", STRANGER, GENERAL, Refusal.JOIN),
    ("stranger, invited by us", STRANGER, with_member(GENERAL, "invite", BITNEXUS), Refusal.JOIN),
    ("banned stranger", STRANGER, with_member(GENERAL, "ban", BITNEXUS), Refusal.JOIN),
    ("new name in a room", ANNA, with_member(GENERAL, "join", ANNA), Grant.STILL_JOINED),
    ("new name in an unmarked room", ANNA, with_member(UNMARKED, "join", ANNA), Grant.STILL_JOINED),
    ("unmarked room", ANNA, UNMARKED, Refusal.JOIN),
    ("unmarked room, invited by us", ANNA, with_member(UNMARKED, "invite", BITNEXUS), Refusal.JOIN),
    ("space, invited", ANNA, with_member(SPACE, "invite", BITNEXUS), Grant.INVITED_BY_US),
    ("space, invited by keeper", ANNA, with_member(SPACE, "invite", KEEPER), Grant.INVITED_BY_US),
    ("space, invited by a person", ANNA, with_member(SPACE, "invite", BEN), Refusal.JOIN),
    ("space, invited by a bot", ANNA, with_member(SPACE, "invite", RELAY), Refusal.JOIN),
    ("space, once there", ANNA, with_member(SPACE, "leave", ANNA), Refusal.JOIN),
    ("space, stranger", STRANGER, SPACE, Refusal.JOIN),
]


@pytest.mark.parametrize(("user_id", "room", "expected"), [case[1:] for case in JOINS], ids=[case[0] for case in JOINS])
def test_a_join(user_id: str, room: Room, expected: Grant | Refusal) -> None:
    assert rules.decide_join(user_id, room, OURS).reason == expected
    assert rules.decide_event(member(user_id, user_id, "join"), room, OURS).reason == expected


INVITES = [
    ("colleague", BITNEXUS, ANNA, GENERAL_FOR_COLLEAGUE, Grant.MEMBER_OF_TENANT),
    ("colleague by keeper", KEEPER, ANNA, GENERAL_FOR_COLLEAGUE, Grant.MEMBER_OF_TENANT),
    ("stranger", BITNEXUS, STRANGER, GENERAL, Refusal.INVITEE_OUTSIDE_TENANT),
    ("anybody into a space", BITNEXUS, STRANGER, SPACE, Grant.INVITED_BY_US),
    ("bot", BITNEXUS, RELAY, GENERAL, Grant.BY_US),
    ("keeper into a new room", BITNEXUS, KEEPER, UNMARKED, Grant.BY_US),
    ("person into an unmarked room", BITNEXUS, ANNA, UNMARKED, Refusal.NOT_A_TENANT_ROOM),
    ("by a colleague", ANNA, BEN, GENERAL_FOR_COLLEAGUE, Refusal.INVITE),
    ("by a colleague into the space", ANNA, BEN, SPACE, Refusal.INVITE),
    ("by a bot", RELAY, BEN, GENERAL_FOR_COLLEAGUE, Refusal.INVITE),
    ("of our bot by a person", ANNA, RELAY, GENERAL, Refusal.INVITE),
    ("of our creator by a person", ANNA, BITNEXUS, GENERAL, Refusal.INVITE),
    ("of our creator by a person of a DM", ANNA, BITNEXUS, DM, Grant.CREATOR_RETURNS),
    ("of our bot by a person of a DM", ANNA, RELAY, DM, Refusal.INVITE),
    ("of a person by a person of a DM", ANNA, BEN, DM, Refusal.INVITE),
]


@pytest.mark.parametrize(
    ("inviter", "invitee", "room", "expected"), [case[1:] for case in INVITES], ids=[case[0] for case in INVITES]
)
def test_an_invitation(inviter: str, invitee: str, room: Room, expected: Grant | Refusal) -> None:
    assert rules.decide_invite(inviter, invitee, room, OURS).reason == expected
    assert rules.decide_event(member(inviter, invitee, "invite"), room, OURS).reason == expected


CREATIONS = [
    ("by a creator", BITNEXUS, {}, Grant.BY_US),
    (
        "whole room",
        BITNEXUS,
        {
            "preset": "private_chat",
            "visibility": "private",
            "invite": [KEEPER],
            "creation_content": {"additional_creators": [KEEPER]},
            "initial_state": [{"type": "com.bitnexus.room", "state_key": "", "content": {}}],
        },
        Grant.BY_US,
    ),
    ("by a person", ANNA, {}, Refusal.ROOM_CREATION),
    ("by a bot", RELAY, {}, Refusal.ROOM_CREATION),
    ("chat by a person", ANNA, {"is_direct": True, "invite": [BEN]}, Refusal.DIRECT_CHAT),
    ("chat as Element does it", ANNA, {"preset": "trusted_private_chat", "invite": [BEN]}, Refusal.DIRECT_CHAT),
    ("person as creator", BITNEXUS, {"preset": "trusted_private_chat", "invite": [ANNA]}, Refusal.FOREIGN_CREATOR),
    ("keeper as creator", BITNEXUS, {"preset": "trusted_private_chat", "invite": [KEEPER]}, Grant.BY_US),
    ("named creator", BITNEXUS, {"creation_content": {"additional_creators": [ANNA]}}, Refusal.FOREIGN_CREATOR),
    ("creators are no list", BITNEXUS, {"creation_content": {"additional_creators": ANNA}}, Refusal.FOREIGN_CREATOR),
    ("creator is no text", BITNEXUS, {"creation_content": {"additional_creators": [7]}}, Refusal.FOREIGN_CREATOR),
    ("upgrade", BITNEXUS, {"creation_content": {"predecessor": {"room_id": "!a"}}}, Refusal.ROOM_UPGRADE),
    ("encrypted", BITNEXUS, {"initial_state": [{"type": "m.room.encryption"}]}, Refusal.ENCRYPTION),
    ("public", BITNEXUS, {"visibility": "public"}, Refusal.OPEN_ROOM),
    ("public chat", BITNEXUS, {"preset": "public_chat"}, Refusal.OPEN_ROOM),
    ("alias", BITNEXUS, {"room_alias_name": "a"}, Refusal.ALIAS),
    ("by e-mail", BITNEXUS, {"invite_3pid": [{"medium": "email"}]}, Refusal.THIRD_PARTY_INVITE),
    ("nobody by e-mail", BITNEXUS, {"invite_3pid": []}, Grant.BY_US),
    ("odd shapes", BITNEXUS, {"initial_state": 5, "creation_content": [], "invite": None}, Grant.BY_US),
]


@pytest.mark.parametrize(
    ("user_id", "room_config", "expected"), [case[1:] for case in CREATIONS], ids=[case[0] for case in CREATIONS]
)
def test_a_creation(user_id: str, room_config: dict[str, object], expected: Grant | Refusal) -> None:
    assert rules.decide_creation(user_id, room_config, OURS).reason == expected


def test_nobody_but_a_creator_redacts_what_holds_the_room() -> None:
    room = Room(marker=GENERAL.marker, in_space=True, protected_event_ids=frozenset({"$marker"}))
    for sender, named, expected in (
        (ANNA, "$marker", Refusal.PROTECTED_STATE),
        (RELAY, "$marker", Refusal.PROTECTED_STATE),
        (BITNEXUS, "$marker", Grant.BY_US),
        (ANNA, "$message", Grant.ORDINARY_EVENT),
    ):
        event = Event(type="m.room.redaction", sender=sender, state_key=None, content={}, redacts=frozenset({named}))
        assert rules.decide_event(event, room, OURS).reason == expected


def test_addresses_and_listings_do_not_exist() -> None:
    assert rules.decide_alias() == Decision(Refusal.ALIAS)
    assert rules.decide_publishing() == Decision(Refusal.PUBLISHING)
    assert rules.decide_third_party_invite() == Decision(Refusal.THIRD_PARTY_INVITE)


def test_an_expired_account_is_not_used_unless_it_is_ours() -> None:
    assert rules.decide_use(ANNA, OURS, is_expired=True) == Decision(Refusal.EXPIRED)
    assert rules.decide_use(ANNA, OURS, is_expired=False) == Decision(Grant.ACCOUNT_IN_USE)
    for user_id in (BITNEXUS, KEEPER, RELAY, ASSISTANT):
        assert rules.decide_use(user_id, OURS, is_expired=True) == Decision(Grant.BY_US)


def test_every_refusal_has_a_sentence_of_its_own_for_a_person() -> None:
    assert set(SENTENCES) == set(Refusal)
    for refusal, sentence in SENTENCES.items():
        assert sentence.endswith("."), refusal
        assert 30 <= len(sentence) <= 200, refusal
        # no names or ids of others, and no words of ours that only developers know
        assert not set("@!$#{}_") & set(sentence), refusal


def test_a_foreign_room_and_an_absent_one_get_the_same_answer() -> None:
    foreign, absent = (rules.decide_join(STRANGER, room, OURS) for room in (GENERAL, UNMARKED))
    assert foreign == absent


LOOK_ALIKES = ["@BITNEXUS:s", "@bitnexus:S", "@bitnexus:s ", "@bitnexus:s.evil", "bitnexus", "@bitnexu\u0455:s", ""]


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_a_look_alike_of_our_account_is_a_stranger(look_alike: str) -> None:
    assert not rules.decide_creation(look_alike, {}, OURS).allowed
    assert not rules.decide_event(state("m.room.power_levels", look_alike), GENERAL, OURS).allowed
    assert not rules.decide_join(look_alike, GENERAL, OURS).allowed
    assert not rules.decide_invite(look_alike, ANNA, GENERAL_FOR_COLLEAGUE, OURS).allowed


# --- a message in a room of two tenants -------------------------------------------------------------------------------

SHARED = Room(
    marker=Marker(
        tenant_id="acme",
        type="alliance",
        space_id=SPACE_ID,
        outsiders=frozenset({STRANGER}),
        partner_tenant_id="globex",
    )
)


@pytest.mark.parametrize("claimed", [{}, {"com.bitnexus.tenant_id": "globex"}, {"com.bitnexus.tenant_id": ["acme"]}])
@pytest.mark.parametrize(("sender", "tenant_id"), [(ANNA, "acme"), (STRANGER, "globex")])
def test_a_message_of_two_tenants_room_says_whose_its_sender_is(
    claimed: dict[str, object], sender: str, tenant_id: str
) -> None:
    room = Room(marker=SHARED.marker, in_space=sender == ANNA)
    content = {"body": "x", **claimed, "m.new_content": {"body": "y", **claimed}}
    event = message("m.room.message", sender, content)
    signed = rules.sign(event, room, OURS) or content
    assert signed == {
        "body": "x",
        "com.bitnexus.tenant_id": tenant_id,
        "m.new_content": {"body": "y", "com.bitnexus.tenant_id": tenant_id},
    }
    assert rules.sign(message("m.room.message", sender, signed), room, OURS) is None, "what is right stays as it is"


def test_without_a_partner_in_the_marker_a_claim_is_dropped() -> None:
    event = message("m.room.message", STRANGER, {"body": "x", "com.bitnexus.tenant_id": "acme"})
    assert rules.sign(event, WITH_STRANGER, OURS) == {"body": "x"}


@pytest.mark.parametrize(
    ("event", "room"),
    [
        (message("m.room.message", ANNA, {"com.bitnexus.tenant_id": "x"}), GENERAL_FOR_COLLEAGUE),
        (message("m.room.message", RELAY, {"body": "x"}), SHARED),
        (message("m.reaction", STRANGER, {}), SHARED),
        (state("m.room.message", STRANGER, {}), SHARED),
        (message("m.room.message", STRANGER, {}), Room()),
    ],
)
def test_nothing_else_is_written_into(event: Event, room: Room) -> None:
    assert rules.sign(event, room, OURS) is None
