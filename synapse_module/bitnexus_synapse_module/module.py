"""The thin glue between Synapse's module API and the rules: read, decide, answer in Synapse's own shapes."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal, NoReturn

from synapse.module_api import NOT_SPAM, EventBase, JsonDict, ModuleApi, Requester, RoomAlias, StateMap
from synapse.module_api.errors import Codes, ConfigError, SynapseError
from twisted.internet import reactor

from bitnexus_synapse_module import rules
from bitnexus_synapse_module.config import SettingError, Settings, check_server, read_settings
from bitnexus_synapse_module.decision import Decision, Grant, Refusal
from bitnexus_synapse_module.expired_users import ExpiredUsers
from bitnexus_synapse_module.expiry_request import read_changes
from bitnexus_synapse_module.gate import count, pass_gate
from bitnexus_synapse_module.policy_client import PolicyClient
from bitnexus_synapse_module.reader import StateReader
from bitnexus_synapse_module.stream_resource import PATH, StreamResource, add_stream_position
from bitnexus_synapse_module.stream_source import StreamSource

logger = logging.getLogger(__name__)

REASON_FIELD: Final = "com.bitnexus.reason"

SpamAnswer = Literal["NOT_SPAM"] | tuple[Codes, JsonDict]


class BitnexusModule:
    """What Synapse loads; each callback passes the gate, so that our own failure is a refusal, too.

    Synapse skips the invite, join and creation callbacks for its server admins, but never ``on_create_room`` and
    ``check_event_allowed``: every rule stands in one of those two, the others only speak earlier and more clearly.
    """

    def __init__(self, config: Settings, api: ModuleApi) -> None:
        try:
            check_server(config, api.server_name)
        except SettingError as error:
            raise ConfigError(str(error)) from None
        self._ours = config.ours
        self._state = StateReader(api, config.ours)
        self._policy = PolicyClient(reactor, config)
        self._expired = ExpiredUsers(api, time.monotonic)
        self._server_name = api.server_name
        api.register_third_party_rules_callbacks(
            check_event_allowed=self.check_event_allowed,
            on_create_room=self.on_create_room,
            check_threepid_can_be_invited=self.check_threepid_can_be_invited,
        )
        api.register_spam_checker_callbacks(
            user_may_create_room=self.user_may_create_room,
            user_may_join_room=self.user_may_join_room,
            user_may_invite=self.user_may_invite,
            user_may_create_room_alias=self.user_may_create_room_alias,
            user_may_publish_room=self.user_may_publish_room,
            check_login_for_spam=self.check_login_for_spam,
        )
        api.register_account_validity_callbacks(is_user_expired=self.is_user_expired)
        source = StreamSource(api, config.ours.creators)
        api.register_web_resource(PATH, StreamResource(source, config.secret, {"expired": self.put_expired}))
        api.register_add_extra_fields_to_unsigned_client_event_callbacks(
            add_field_to_unsigned_callback=add_stream_position
        )

    @staticmethod
    def parse_config(config: JsonDict) -> Settings:
        """Read the settings; Synapse does not start on a wrong one and shows our sentence."""
        try:
            return read_settings(config)
        except SettingError as error:
            raise ConfigError(str(error)) from None

    async def check_event_allowed(
        self, event: EventBase, state_events: StateMap[EventBase]
    ) -> tuple[bool, JsonDict | None]:
        """Decide about every event, whoever sends it and by whatever way; a message of two tenants' room is signed."""
        decision = await pass_gate("check_event_allowed", self._decide_event(event, state_events))
        if not decision.allowed:
            _raise_refusal(decision)
        return True, _replacement(event, decision)

    async def on_create_room(self, requester: Requester, config: JsonDict, is_requester_admin: bool) -> None:
        """Decide about a createRoom request before anything of it happens."""
        decision = await pass_gate("on_create_room", self._decide_new_room(requester.user.to_string(), config))
        if not decision.allowed:
            _raise_refusal(decision)

    async def check_threepid_can_be_invited(self, medium: str, address: str, state_events: StateMap[EventBase]) -> bool:
        """Refuse before Synapse looks the address up at somebody's identity server."""
        decision = await pass_gate("check_threepid_can_be_invited", _given(rules.decide_third_party_invite))
        return decision.allowed

    async def user_may_create_room(self, user_id: str, room_config: JsonDict) -> SpamAnswer:
        """Decide about a creation, room upgrades included."""
        return _answer(await pass_gate("user_may_create_room", self._decide_creation(user_id, room_config)))

    async def user_may_join_room(self, user_id: str, room_id: str, is_invited: bool) -> SpamAnswer:
        """Decide about a join, a change of one's own profile in the room included."""
        return _answer(await pass_gate("user_may_join_room", self._decide_join(user_id, room_id)))

    async def user_may_invite(self, inviter: str, invitee: str, room_id: str) -> SpamAnswer:
        """Decide about an invitation."""
        return _answer(await pass_gate("user_may_invite", self._decide_invite(inviter, invitee, room_id)))

    async def user_may_create_room_alias(self, user_id: str, room_alias: RoomAlias) -> SpamAnswer:
        """Refuse room aliases."""
        return _answer(await pass_gate("user_may_create_room_alias", _given(rules.decide_alias)))

    async def user_may_publish_room(self, user_id: str, room_id: str) -> SpamAnswer:
        """Refuse changes of the public room directory."""
        return _answer(await pass_gate("user_may_publish_room", _given(rules.decide_publishing)))

    async def check_login_for_spam(
        self,
        user_id: str,
        device_id: str | None,
        initial_display_name: str | None,
        request_info: object,
        auth_provider_id: str | None = None,
    ) -> SpamAnswer:
        """Decide about a sign-in of whatever kind, after its credential was found right."""
        return _answer(await pass_gate("check_login_for_spam", self._decide_login(user_id)))

    async def is_user_expired(self, user_id: str) -> bool | None:
        """Decide, at every request of a person, whether their account may be used; pushes ask it, too.

        When that cannot be looked up the request fails and nothing is claimed of the account: a client that is told
        that it has expired signs out.
        """
        try:
            decision = await self._decide_use(user_id)
        except Exception:
            count("is_user_expired", Decision(Refusal.MODULE_FAILED))
            logger.exception("The BitNexus module cannot look up whether an account is expired: the request fails")
            raise
        if not decision.allowed:
            count("is_user_expired", decision)
        return not decision.allowed

    async def put_expired(self, body: JsonDict) -> None:
        """Take in whom the bridge names as expired, and as restored."""
        await self._expired.change(read_changes(body, self._ours, self._server_name))

    async def _decide_use(self, user_id: str) -> Decision:
        return rules.decide_use(user_id, self._ours, is_expired=await self._expired.contains(user_id))

    async def _decide_event(self, event: EventBase, state_events: StateMap[EventBase]) -> Decision:
        wanted = self._state.read_event(event)
        room = await self._state.read_room_before(wanted, state_events)
        decision = rules.decide_event(wanted, room, self._ours)
        return replace(decision, content=rules.sign(wanted, room, self._ours)) if decision.allowed else decision

    async def _decide_creation(self, user_id: str, room_config: JsonDict) -> Decision:
        return rules.decide_creation(user_id, room_config, self._ours)

    async def _decide_new_room(self, user_id: str, room_config: JsonDict) -> Decision:
        """Decide as about any creation; a direct chat that a person starts is made by the bridge instead.

        Synapse asks here first of all, and once: whether a room may be made it asks again, below.
        """
        decision = await self._decide_creation(user_id, room_config)
        if decision.reason is not Refusal.DIRECT_CHAT:
            return decision
        answer = await self._policy.start_chat(user_id, rules.invitees_of(room_config))
        return answer if answer.reason is Refusal.BRIDGE_DENIES else decision

    async def _decide_join(self, user_id: str, room_id: str) -> Decision:
        return rules.decide_join(user_id, await self._state.read_room(room_id, user_id), self._ours)

    async def _decide_invite(self, inviter: str, invitee: str, room_id: str) -> Decision:
        return rules.decide_invite(inviter, invitee, await self._state.read_room(room_id, invitee), self._ours)

    async def _decide_login(self, user_id: str) -> Decision:
        # Our own accounts sign in while the bridge starts, when nobody can answer yet.
        if user_id in self._ours:
            return Decision(Grant.BY_US)
        return await self._policy.may_sign_in(user_id)


async def _given(decide: Callable[[], Decision]) -> Decision:
    """Let a rule run inside the gate, not on the way to it."""
    return decide()


def _replacement(event: EventBase, decision: Decision) -> JsonDict | None:
    """Give the event with the content that the rules want it to have; None when it is right as it is."""
    return None if decision.content is None else {**event.get_dict(), "content": dict(decision.content)}


def _answer(decision: Decision) -> SpamAnswer:
    return NOT_SPAM if decision.allowed else (Codes.FORBIDDEN, _refusal_fields(decision))


def _raise_refusal(decision: Decision) -> NoReturn:
    raise SynapseError(403, decision.sentence, Codes.FORBIDDEN, _refusal_fields(decision))


def _refusal_fields(decision: Decision) -> JsonDict:
    # "error" takes the place of Synapse's own words, which say less
    return {"error": decision.sentence, REASON_FIELD: decision.reason.value}
