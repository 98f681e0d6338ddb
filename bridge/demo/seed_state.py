"""What seeding has done already, kept on disk: each step is taken once, whenever the demo was killed."""

import secrets
from pathlib import Path

import msgspec

from bridge.files import write_private


class SeedState(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Secrets that are shown once, and marks of steps that must not come twice."""

    admin_token: str | None = None
    matrix_ids: dict[str, str] = {}
    passwords: dict[str, str] = {}
    passwords_set: list[str] = []
    integration_keys: dict[str, str] = {}
    tenants: list[str] = []
    ai_rooms: list[str] = []
    messages: list[str] = []

    def password_of(self, user_id: str) -> str:
        """Return a person's password for Element, made at the first asking."""
        return self.passwords.setdefault(user_id, secrets.token_urlsafe(12))


class SeedFile:
    """The state in its file; ``save`` after each step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state = msgspec.json.decode(path.read_bytes(), type=SeedState) if path.exists() else SeedState()

    def save(self) -> None:
        """Write the state in one step."""
        write_private(self._path, msgspec.json.format(msgspec.json.encode(self.state)).decode())
