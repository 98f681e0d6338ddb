"""Fill the demo through the HTTP API alone, as BitNexus would: tenants, people, keys, AI rooms, a few messages.

What a person changed in a demo stays changed: a tenant is filled once, later starts only see to what they need.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from bridge.demo.bridge_api import BridgeApi, HttpApi, Session
from bridge.demo.errors import DemoError
from bridge.demo.people import SUPER_ADMINS, TENANTS, DemoMessage, DemoPerson, DemoRoom, DemoTenant
from bridge.demo.progress import Step
from bridge.demo.seed_state import SeedFile
from bridge.demo.synapse_admin import SynapseAdmin
from bridge.model.json import Json

INTEGRATION_SCOPES = ("events:write", "deliveries:read", "directory:read")
_MATRIX = "/_matrix/client/v3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Takes the steps; the same again takes none."""

    bridge: BridgeApi
    synapse: HttpApi
    admin: SynapseAdmin
    file: SeedFile
    origin: str
    step: Step

    async def run(self) -> None:
        """Bring the demo to where its people can be signed in as; safe to repeat after being killed anywhere."""
        for person in SUPER_ADMINS:
            await self._put_super_admin(person)
        for tenant in TENANTS:
            await self._fill(tenant)
            await self._allow_origin(tenant)
            await self._make_key(tenant)
        await self._act_as_people()
        await self._set_passwords()

    async def _put_super_admin(self, person: DemoPerson) -> None:
        if person.user_id not in self.file.state.matrix_ids:
            body: Json = {"display_name": person.display_name, "super_admin": True}
            await self.bridge.platform("PUT", f"/users/{person.user_id}", body)

    async def _fill(self, tenant: DemoTenant) -> None:
        state = self.file.state
        if tenant.tenant_id in state.tenants:
            return
        self.step.detail(f"{tenant.name}: rooms and people")
        path = f"/tenants/{tenant.tenant_id}"
        body: Json = {"name": tenant.name, "rooms": [_room(room) for room in tenant.rooms]}
        jobs = [await self.bridge.change("PUT", path, body)]
        for person, role in tenant.people:
            body = {"role": role.value, "display_name": person.display_name}
            jobs.append(await self.bridge.change("PUT", f"{path}/members/{person.user_id}", body))
        for job_id in dict.fromkeys(job_id for job_id in jobs if job_id is not None):
            await self.bridge.finish(job_id)
        state.tenants.append(tenant.tenant_id)
        self.file.save()

    async def _allow_origin(self, tenant: DemoTenant) -> None:
        """Let the host page's origin call the API; it is another one when the ports are."""
        path = f"/tenants/{tenant.tenant_id}"
        standing = await self.bridge.platform("GET", path)
        settings = standing["settings"]
        if self.origin not in settings["allowed_origins"]:
            settings["allowed_origins"] = [self.origin]
            await self.bridge.platform("PUT", path, {"name": standing["name"], "settings": settings})

    async def _make_key(self, tenant: DemoTenant) -> None:
        state = self.file.state
        if tenant.tenant_id in state.integration_keys:
            return
        body: Json = {"name": "Demo", "scopes": list(INTEGRATION_SCOPES)}
        answer = await self.bridge.platform("POST", f"/tenants/{tenant.tenant_id}/integration-keys", body)
        state.integration_keys[tenant.tenant_id] = answer["key"]
        self.file.save()

    async def _act_as_people(self) -> None:
        """Sign in those who have something to do, let them do it, and sign them out again."""
        sessions = {
            person: await self.bridge.sign_in(person.user_id) for person in _everybody() if self._has_to_act(person)
        }
        try:
            for person, session in sessions.items():
                self.file.state.matrix_ids[person.user_id] = session.matrix_id
            await self._open_ai_rooms(sessions)
            by_id = {person.user_id: session for person, session in sessions.items()}
            for tenant, message in self._unsaid():
                await self._say(tenant, message, by_id[message.user_id])
        finally:
            for session in sessions.values():
                await self.bridge.sign_out(session)
        self.file.save()

    def _has_to_act(self, person: DemoPerson) -> bool:
        state = self.file.state
        return (
            person.user_id not in state.matrix_ids
            or any(name not in state.ai_rooms for name in _ai_rooms(person))
            or any(message.user_id == person.user_id for _, message in self._unsaid())
        )

    def _unsaid(self) -> list[tuple[DemoTenant, DemoMessage]]:
        said = self.file.state.messages
        pairs = ((tenant, message) for tenant in TENANTS for message in tenant.messages)
        return [(tenant, message) for tenant, message in pairs if message.message_id not in said]

    async def _open_ai_rooms(self, sessions: Mapping[DemoPerson, Session]) -> None:
        """Ask for the rooms of all people first: they are made together then."""
        self.step.detail("rooms with the assistant")
        state = self.file.state
        jobs: dict[str, None] = {}
        asked: list[str] = []
        for person, session in sessions.items():
            for name in (name for name in _ai_rooms(person) if name not in state.ai_rooms):
                path = f"/v1/tenants/{name.partition('/')[0]}/ai-rooms"
                answer = await self.bridge.api.call("POST", path, token=session.session_token, body={})
                asked.append(name)
                if answer["job_id"] is not None:
                    jobs[answer["job_id"]] = None
        for job_id in jobs:
            await self.bridge.finish(job_id)
        state.ai_rooms += asked
        self.file.save()

    async def _say(self, tenant: DemoTenant, message: DemoMessage, session: Session) -> None:
        """Send a message as its author, by the Matrix API that any client uses."""
        state = self.file.state
        room_id = await self._room_id(tenant.tenant_id, message.room_key, session)
        path = f"/rooms/{quote(room_id, safe='')}/send/m.room.message/demo-{message.message_id}"
        content: Json = {"msgtype": "m.text", "body": message.body, "m.mentions": {}}
        await self.synapse.call("PUT", _MATRIX + path, token=session.access_token, body=content)
        state.messages.append(message.message_id)
        self.file.save()

    async def _room_id(self, tenant_id: str, key: str, session: Session) -> str:
        """Find a room among those that the person is in, by the mark that the bridge puts into each."""
        joined = await self.synapse.call("GET", f"{_MATRIX}/joined_rooms", token=session.access_token)
        room_ids: list[str] = joined["joined_rooms"]
        for room_id in room_ids:
            path = f"{_MATRIX}/rooms/{quote(room_id, safe='')}/state/com.bitnexus.room"
            mark = await self.synapse.call("GET", path, token=session.access_token)
            if (mark["tenant_id"], mark["key"]) == (tenant_id, key):
                return room_id
        raise DemoError(f"the tenant '{tenant_id}' has no room '{key}' that its person is in")

    async def _set_passwords(self) -> None:
        state = self.file.state
        self.step.detail("passwords for Element")
        for person in _everybody():
            password = state.password_of(person.user_id)
            if person.user_id in state.passwords_set:
                continue
            self.file.save()
            await self.admin.set_password(state.matrix_ids[person.user_id], password)
            state.passwords_set.append(person.user_id)
            self.file.save()


def _room(room: DemoRoom) -> dict[str, Json]:
    body: dict[str, Json] = {
        "key": room.key,
        "type": room.type.value,
        "name": room.name,
        "topic": room.topic,
        "access": room.access.value,
    }
    return {**body, "members": list(room.members)} if room.members else body


def _everybody() -> list[DemoPerson]:
    members = (person for tenant in TENANTS for person, _ in tenant.people)
    return list(dict.fromkeys((*members, *SUPER_ADMINS)))


def _ai_rooms(person: DemoPerson) -> list[str]:
    """Name the AI rooms that a person shall have, one for each of their tenants."""
    tenants = (tenant for tenant in TENANTS if any(member == person for member, _ in tenant.people))
    return [f"{tenant.tenant_id}/{person.user_id}" for tenant in tenants]
