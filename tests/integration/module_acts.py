"""What nobody may do in a room, and no way to make one: the requests, and the reason that each is refused with.

Names in braces stand for ids of the stage on which they are played.
"""

from synapse_harness import CREATOR, Json

ROOM = "/rooms/{room}"
STATE = f"{ROOM}/state"
FORBIDDEN: dict[str, tuple[str, str, Json, str]] = {
    "encryption": ("PUT", f"{STATE}/m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}, "encryption"),
    "encrypted message": ("PUT", f"{ROOM}/send/m.room.encrypted/1", {"ciphertext": "x"}, "encryption"),
    "power levels": ("PUT", f"{STATE}/m.room.power_levels", {"users": {}}, "power_levels"),
    "power levels as message": ("PUT", f"{ROOM}/send/m.room.power_levels/2", {"users": {}}, "power_levels"),
    "public join rule": ("PUT", f"{STATE}/m.room.join_rules", {"join_rule": "public"}, "open_room"),
    "join rule": ("PUT", f"{STATE}/m.room.join_rules", {"join_rule": "invite"}, "room_setting"),
    "history": ("PUT", f"{STATE}/m.room.history_visibility", {"history_visibility": "joined"}, "room_setting"),
    "server acl": ("PUT", f"{STATE}/m.room.server_acl", {"allow": ["*"]}, "room_setting"),
    "tombstone": ("PUT", f"{STATE}/m.room.tombstone", {"replacement_room": "!x"}, "room_upgrade"),
    "canonical alias": ("PUT", f"{STATE}/m.room.canonical_alias", {}, "alias"),
    "guest access": ("PUT", f"{STATE}/m.room.guest_access", {"guest_access": "can_join"}, "room_setting"),
    "third party token": ("PUT", f"{STATE}/m.room.third_party_invite/t", {"public_keys": []}, "third_party_invite"),
    "child": ("PUT", "/rooms/{space}/state/m.space.child/!x", {"via": ["s"]}, "room_setting"),
    "parent": ("PUT", f"{STATE}/m.space.parent/!x", {"via": ["s"]}, "room_setting"),
    "marker": ("PUT", f"{STATE}/com.bitnexus.room", {"tenant_id": "globex"}, "reserved_type"),
    "marker of the space": ("PUT", "/rooms/{space}/state/com.bitnexus.room", {"type": "space"}, "reserved_type"),
    "sanction": ("PUT", f"{STATE}/com.bitnexus.sanction/u_x", {"type": "mute"}, "reserved_type"),
    "our type as message": ("PUT", f"{ROOM}/send/com.bitnexus.room/3", {}, "reserved_type"),
    "name": ("PUT", f"{STATE}/m.room.name", {"name": "Mine"}, "room_setting"),
    "widget": ("PUT", f"{STATE}/im.vector.modular.widgets/w", {"url": "http://x"}, "room_setting"),
    "removed marker": ("PUT", f"{ROOM}/redact/{{marker}}/4", {}, "protected_state"),
    "invitation": ("POST", f"{ROOM}/invite", {"user_id": "{stranger}"}, "invite"),
    "invitation by state": ("PUT", f"{STATE}/m.room.member/{{stranger}}", {"membership": "invite"}, "invite"),
    "invitation to the space": ("POST", "/rooms/{space}/invite", {"user_id": "{stranger}"}, "invite"),
    "join for another": (
        "PUT",
        f"{STATE}/m.room.member/{{colleague}}",
        {"membership": "join", "displayname": "Not me"},
        "join_for_another",
    ),
    "upgrade": ("POST", f"{ROOM}/upgrade", {"new_version": "12"}, "room_upgrade"),
    "upgrade to 11": ("POST", f"{ROOM}/upgrade", {"new_version": "11"}, "room_upgrade"),
    "publishing": ("PUT", "/directory/list/room/{room}", {"visibility": "public"}, "publishing"),
}

# what Element sends for "Start chat"
NATIVE_CHAT: Json = {
    "preset": "trusted_private_chat",
    "visibility": "private",
    "invite": ["{colleague}"],
    "is_direct": True,
    "initial_state": [{"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "can_join"}}],
}
CREATIONS: dict[str, tuple[Json, str]] = {
    "empty": ({}, "room_creation"),
    "private": ({"preset": "private_chat", "name": "Mine"}, "room_creation"),
    "space": ({"creation_content": {"type": "m.space"}}, "room_creation"),
    "version 11": ({"room_version": "11"}, "room_creation"),
    "public": ({"preset": "public_chat", "visibility": "public", "room_alias_name": "mine"}, "room_creation"),
    "marked": ({"initial_state": [{"type": "com.bitnexus.room", "content": {"type": "dm"}}]}, "room_creation"),
    "our bot as creator": ({"creation_content": {"additional_creators": [CREATOR]}}, "room_creation"),
    "native chat": (NATIVE_CHAT, "direct_chat"),
    "native chat, encrypted": (
        {**NATIVE_CHAT, "initial_state": [{"type": "m.room.encryption", "content": {"algorithm": "x"}}]},
        "direct_chat",
    ),
}
