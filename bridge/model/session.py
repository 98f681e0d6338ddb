"""Signing in, and talking with the assistant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridge.model.ids import AccessToken, DeviceID, MemberID


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A Matrix session of a person."""

    access_token: AccessToken
    device_id: DeviceID
    expires_in_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation with the assistant."""

    speaker: Literal["person", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """What a signed token of the BitNexus backend says."""

    iss: str
    jti: str
    member_id: MemberID
    expires_at: datetime
