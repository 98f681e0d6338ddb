"""Sign a person in with a token of the BitNexus backend, and out again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bridge.errors import DependencyDown, Forbidden, UnknownCredential
from bridge.model.credential import SessionCredential, secret_sha256
from bridge.model.ids import PLATFORM, DeviceID, MemberID
from bridge.model.session import Login, VerifiedToken
from bridge.model.tenant import Person, TenantRole
from bridge.policy.standing import is_welcome
from bridge.ports import Clock, Database, Entropy, Homeserver, Sessions, TokenVerifier

SESSION_PREFIX = "bxs_"

_WAIT_SECONDS = 3.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """What a person's client works with."""

    person: Person
    login: Login
    session_token: str
    expires_in: int
    tenants: Sequence[TenantRole]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """Verify a signed token, once, and log its person in at Synapse."""

    database: Database
    sessions: Sessions
    homeserver: Homeserver
    verifier: TokenVerifier
    clock: Clock
    entropy: Entropy
    lifetime_seconds: int

    async def __call__(self, token: str, *, device_id: DeviceID | None) -> OpenedSession:
        """Return the session; raises UnknownCredential for the token, Forbidden for a person without a tenant."""
        verified = self.verifier.verify(token)
        if not await self.sessions.use_token_once(iss=verified.iss, jti=verified.jti, expires_at=verified.expires_at):
            raise UnknownCredential("this token was used before; ask for a new one")
        try:
            return await self._open(verified, device_id)
        except DependencyDown:
            await self.sessions.forget_token(iss=verified.iss, jti=verified.jti)
            raise

    async def _open(self, verified: VerifiedToken, device_id: DeviceID | None) -> OpenedSession:
        await find_welcome_person(self.database, verified.member_id)
        epoch = await self._settled_epoch(verified.member_id)
        person, tenants = await find_welcome_person(self.database, verified.member_id)
        await self.homeserver.register(person.user_id)
        async with self.database.work(PLATFORM) as work:
            await work.people.record_registered(person.user_id)
        login = await self.homeserver.log_in(person.user_id, device_id)
        session_token = SESSION_PREFIX + self.entropy.token()
        is_stored = await self.sessions.add(
            token_sha256=secret_sha256(session_token),
            member_id=person.member_id,
            device_id=login.device_id,
            expires_at=self.clock.now() + timedelta(seconds=self.lifetime_seconds),
            epoch=epoch,
        )
        if not is_stored:
            await self.homeserver.log_out(person.user_id, login.device_id)
            raise DependencyDown("this person's sessions were ended just now; try again")
        expires_in = self.lifetime_seconds if login.expires_in_ms is None else login.expires_in_ms // 1000
        return OpenedSession(
            person=person, login=login, session_token=session_token, expires_in=expires_in, tenants=tenants
        )

    async def _settled_epoch(self, member_id: MemberID) -> int:
        """Wait until Synapse knows what has become of the person; raises DependencyDown when that takes long.

        What was to be ended before the epoch was read is ended by now, and whatever comes later ends this session, too.
        """
        deadline = self.clock.monotonic() + _WAIT_SECONDS
        while True:
            epoch = await self.sessions.epoch(member_id)
            if not await is_waiting(self.database, member_id):
                return epoch
            if self.clock.monotonic() >= deadline:
                raise DependencyDown("the end of this person's earlier sessions is under way; try again")
            await asyncio.sleep(_LOOK_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSession:
    """Sign a person out: the session ends and its Matrix device is deleted."""

    sessions: Sessions
    homeserver: Homeserver

    async def __call__(self, credential: SessionCredential) -> None:
        """End the session; once ended it stays ended even if Synapse is away."""
        await self.sessions.remove(credential.session_id)
        await self.homeserver.log_out(credential.user_id, DeviceID(credential.device_id))


async def find_welcome_person(database: Database, member_id: MemberID) -> tuple[Person, Sequence[TenantRole]]:
    """Return a person who may sign in now, with their tenants; raises Forbidden."""
    async with database.work(PLATFORM) as work:
        person = await work.people.find(member_id)
    tenants = await database.tenants_of_person(member_id)
    if person is None or not is_welcome(
        is_active=person.active, is_super_admin=person.super_admin, has_active_tenant=bool(tenants)
    ):
        raise Forbidden("this person has no active tenant")
    return person, tenants


async def is_waiting(database: Database, member_id: MemberID) -> bool:
    """Say whether Synapse, or a tenant, has yet to be told what has become of a person."""
    async with database.work(PLATFORM) as work:
        return await work.person_tasks.is_waiting(member_id)
