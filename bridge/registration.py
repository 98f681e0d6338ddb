"""What Synapse must be told of us: the application service registration, and the settings that keep tenants apart."""

import re
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from bridge.config import Appservice, Config
from bridge.files import write_private
from bridge.model.json import Json

POLICY_PATH = "/_bitnexus/policy"
MODULE = "bitnexus_synapse_module.BitnexusModule"

Settings = dict[str, Json]

_HEADER = """\
# Settings of Synapse for BitNexus Chat, written by `bitnexus-chat registration`. Put this file beside homeserver.yaml
# and start Synapse with both (-c homeserver.yaml -c this-file); where they differ, the later one counts. Listeners,
# database and signing key stay yours: give the listeners the resource `client` alone, never `federation`.
"""


def registration(config: Config) -> Settings:
    """Return the application service registration.

    Humans stand in a namespace that is not exclusive, so that they can sign in by OIDC or password and appear in the
    user directory; our bots in an exclusive one. Only the current flag for ephemeral events is set: with the old one
    beside it everything arrives twice.
    """
    appservice = config.appservice
    server = re.escape(config.homeserver.server_name)
    human = f"@{re.escape(appservice.human_prefix)}.*:{server}"
    bots = "|".join(re.escape(localpart) for localpart in _bot_localparts(appservice))
    return {
        "id": appservice.id,
        "url": appservice.address,
        "as_token": appservice.as_token,
        "hs_token": appservice.hs_token,
        "sender_localpart": appservice.sender_localpart,
        "rate_limited": False,
        "receive_ephemeral": True,
        "namespaces": {
            "users": [{"exclusive": False, "regex": human}, {"exclusive": True, "regex": f"@({bots}):{server}"}],
            "rooms": [],
            "aliases": [],
        },
    }


def synapse_settings(config: Config, *, registration_path: Path) -> Settings:
    """Return the settings that a Synapse with BitNexus Chat must have, whatever else it has.

    There is no ``jwt_config``: Synapse's own takes tokens without an end, again and again, and for bots. There is no
    listener: whoever runs Synapse knows its addresses.
    """
    homeserver = config.homeserver
    return {
        "server_name": homeserver.server_name,
        "public_baseurl": homeserver.public_address,
        "app_service_config_files": [str(registration_path)],
        "modules": [{"module": MODULE, "config": _module_settings(config)}],
        "default_room_version": homeserver.room_version,
        **_closed_to_strangers(),
        **_closed_between_tenants(),
        **_limits_of_people(),
    }


def write_registration(config: Config, registration_path: Path, settings_path: Path) -> None:
    """Write the registration and Synapse's settings, both readable by their owner alone: they hold secrets."""
    write_private(registration_path, to_yaml(registration(config)))
    write_private(settings_path, settings_text(config, registration_path=registration_path.resolve()))


def settings_text(config: Config, *, registration_path: Path) -> str:
    """Return the file of Synapse's settings, with what an operator must know of it at its head."""
    return _HEADER + to_yaml(synapse_settings(config, registration_path=registration_path))


def to_yaml(settings: Settings) -> str:
    """Return ``settings`` as YAML, in their own order."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.representer.sort_base_mapping_type_on_output = False
    text = StringIO()
    writer.dump(settings, text)  # pyright: ignore[reportUnknownMemberType] - ruamel.yaml names no types here
    return text.getvalue()


def _bot_localparts(appservice: Appservice) -> tuple[str, ...]:
    return (*_creator_localparts(appservice), *_other_bot_localparts(appservice))


def _creator_localparts(appservice: Appservice) -> tuple[str, ...]:
    return (appservice.sender_localpart, appservice.keeper_localpart)


def _other_bot_localparts(appservice: Appservice) -> tuple[str, ...]:
    return (appservice.relay_localpart, appservice.assistant_localpart)


def _module_settings(config: Config) -> Settings:
    appservice, server = config.appservice, config.homeserver.server_name
    return {
        "creators": [f"@{localpart}:{server}" for localpart in _creator_localparts(appservice)],
        "bots": [f"@{localpart}:{server}" for localpart in _other_bot_localparts(appservice)],
        "policy_url": appservice.address.rstrip("/") + POLICY_PATH,
        "secret": appservice.module_secret,
        "timeout_seconds": 2.0,
    }


def _closed_to_strangers() -> Settings:
    """Nothing for those who have no account here, and nothing to or from other servers."""
    return {
        "enable_registration": False,
        "allow_guest_access": False,
        "allow_public_rooms_without_auth": False,
        "allow_public_rooms_over_federation": False,
        "federation_domain_whitelist": [],
        "allow_device_name_lookup_over_federation": False,
        "trusted_key_servers": [],
        "enable_authenticated_media": True,
        "url_preview_enabled": False,
        "enable_3pid_lookup": False,
        "report_stats": False,
        "push": {"include_content": False},
        "use_appservice_legacy_authorization": False,
    }


def _closed_between_tenants() -> Settings:
    """Nothing by which people of one tenant come to know of another's people and rooms; and no encryption traps."""
    return {
        "require_auth_for_profile_requests": True,
        "limit_profile_requests_to_users_who_share_rooms": True,
        "include_profile_data_on_invite": False,
        "user_directory": {"enabled": True, "search_all_users": False, "show_locked_users": False},
        "enable_room_list_search": False,
        "room_list_publication_rules": [{"action": "deny"}],
        "alias_creation_rules": [{"action": "deny"}],
        "auto_join_rooms": [],
        "auto_accept_invites": {"enabled": False},
        "forget_rooms_on_leave": True,
        "redaction_retention_period": "7d",
        "encryption_enabled_by_default_for_room_type": "off",
        "extra_well_known_client_content": {"io.element.e2ee": {"default": False, "force_disable": True}},
    }


def _limits_of_people() -> Settings:
    """Limit what people may do per second; the application service itself is not limited (its registration says so)."""
    return {
        "rc_message": {"per_second": 10, "burst_count": 50},
        # we join people by the hundred, and Synapse counts those joins against the room's next native one
        "rc_joins": {"local": {"per_second": 1, "burst_count": 50}},
        "rc_joins_per_room": {"per_second": 10, "burst_count": 500},
    }
