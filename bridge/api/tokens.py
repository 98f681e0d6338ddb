"""Signed tokens of the BitNexus backend, by PyJWT; implements the port ``TokenVerifier``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from bridge.errors import InvalidInput, UnknownCredential
from bridge.model.ids import parse_member_id
from bridge.model.session import VerifiedToken
from bridge.ports import Clock

_MAX_AHEAD_SECONDS = 300
_LEEWAY_SECONDS = 5
_MAX_JTI_CHARS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """Who may sign, for whom, with which one algorithm; ``key`` is a PEM, or the secret itself for HS256."""

    iss: str
    aud: str
    alg: str
    key: str


class JwtVerifier:
    """Verifies tokens against the configured issuers; the token's own header chooses neither key nor algorithm."""

    def __init__(self, issuers: Sequence[TrustedIssuer], clock: Clock) -> None:
        self._issuers = {issuer.iss: issuer for issuer in issuers}
        self._clock = clock

    def verify(self, token: str) -> VerifiedToken:
        """Return what the token says; raises UnknownCredential, whatever is wrong with it."""
        try:
            issuer = self._issuer_of(token)
            claims = jwt.decode(
                token,
                issuer.key,
                algorithms=[issuer.alg],
                audience=issuer.aud,
                issuer=issuer.iss,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub", "jti"]},
            )
            return self._verified(issuer, claims)
        except (jwt.PyJWTError, InvalidInput, KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnknownCredential(f"this token is not accepted: {type(error).__name__}") from None

    def _issuer_of(self, token: str) -> TrustedIssuer:
        if "crit" in jwt.get_unverified_header(token):
            raise jwt.InvalidTokenError("an extension that must be understood, and is not")
        unverified = jwt.decode(token, options={"verify_signature": False})
        issuer = self._issuers.get(str(unverified.get("iss")))
        if issuer is None:
            raise jwt.InvalidIssuerError("an issuer that is not configured")
        return issuer

    def _verified(self, issuer: TrustedIssuer, claims: dict[str, Any]) -> VerifiedToken:
        expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        if (expires_at - self._clock.now()).total_seconds() > _MAX_AHEAD_SECONDS + _LEEWAY_SECONDS:
            raise jwt.InvalidTokenError("valid for longer than five minutes")
        jti = claims["jti"]
        if not isinstance(jti, str) or not 1 <= len(jti) <= _MAX_JTI_CHARS or "\0" in jti:
            raise jwt.InvalidTokenError(f"jti must be 1 to {_MAX_JTI_CHARS} characters")
        return VerifiedToken(
            iss=issuer.iss, jti=jti, member_id=parse_member_id(str(claims["sub"])), expires_at=expires_at
        )
