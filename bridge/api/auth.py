"""Who a request speaks for, by its bearer token alone."""

import hmac
from dataclasses import dataclass

from bridge.actions.change_integration_keys import KEY_PREFIX
from bridge.actions.open_session import SESSION_PREFIX
from bridge.api.call import CredentialKind, Route
from bridge.errors import Forbidden, MissingCredential, UnknownCredential
from bridge.model.credential import Credential, IntegrationCredential, PlatformCredential, secret_sha256
from bridge.ports import Database, Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """Checks bearer tokens; deny is the default."""

    platform_key: str
    database: Database
    sessions: Sessions

    async def credential_for(self, route: Route, authorization: str | None) -> Credential | None:
        """Return the request's credential, None on an open route; raises the errors of 401 and 403."""
        if not route.credentials:
            return None
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise MissingCredential("a bearer token is needed")
        credential = await self._find(token.strip())
        if credential is None:
            raise UnknownCredential("this token is unknown, expired or revoked")
        if _kind(credential) not in route.credentials:
            raise Forbidden("this credential is of the wrong kind for what it asks")
        return credential

    async def _find(self, token: str) -> Credential | None:
        digest = secret_sha256(token)
        if token.startswith(KEY_PREFIX):
            return await self.database.find_integration(digest)
        if token.startswith(SESSION_PREFIX):
            return await self.sessions.find(digest)
        # equal lengths, so that the comparison's time tells nothing
        is_platform = hmac.compare_digest(digest, secret_sha256(self.platform_key))
        return PlatformCredential() if is_platform else None


def _kind(credential: Credential) -> CredentialKind:
    if isinstance(credential, PlatformCredential):
        return "platform"
    return "integration" if isinstance(credential, IntegrationCredential) else "session"
