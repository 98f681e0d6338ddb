"""The demo's own secrets: made once, kept in its folder, readable by their owner alone."""

import base64
import secrets
from pathlib import Path

import msgspec

from bridge.demo.errors import DemoError
from bridge.files import write_private


def _token() -> str:
    return secrets.token_urlsafe(32)


def _signing_key() -> str:
    """Return a Matrix signing key in the form of Synapse's key file."""
    seed = base64.b64encode(secrets.token_bytes(32)).decode("ascii").rstrip("=")
    return f"ed25519 a_{secrets.token_hex(3)} {seed}\n"


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every secret that a stack needs; each is random."""

    postgres: str = msgspec.field(default_factory=_token)
    bitnexus_owner: str = msgspec.field(default_factory=_token)
    bitnexus_app: str = msgspec.field(default_factory=_token)
    bitnexus_system: str = msgspec.field(default_factory=_token)
    synapse: str = msgspec.field(default_factory=_token)
    as_token: str = msgspec.field(default_factory=_token)
    hs_token: str = msgspec.field(default_factory=_token)
    module_secret: str = msgspec.field(default_factory=_token)
    platform_key: str = msgspec.field(default_factory=_token)
    issuer_secret: str = msgspec.field(default_factory=_token)
    model_key: str = msgspec.field(default_factory=_token)
    registration_shared_secret: str = msgspec.field(default_factory=_token)
    macaroon_secret: str = msgspec.field(default_factory=_token)
    form_secret: str = msgspec.field(default_factory=_token)
    admin_password: str = msgspec.field(default_factory=_token)
    signing_key: str = msgspec.field(default_factory=_signing_key)

    def postgres_passwords(self) -> dict[str, str]:
        """Return the passwords of PostgreSQL's roles, by role."""
        roles = ("postgres", "bitnexus_owner", "bitnexus_app", "bitnexus_system", "synapse")
        return {role: getattr(self, role) for role in roles}


def keep_credentials(path: Path) -> Credentials:
    """Return the credentials in ``path``; made and written there when it does not exist yet."""
    if path.exists():
        try:
            credentials = msgspec.json.decode(path.read_bytes(), type=Credentials)
        except msgspec.DecodeError as error:
            raise DemoError(
                f"{path} cannot be read ({error}): the demo's data is lost with it; remove the folder"
            ) from None
    else:
        credentials = Credentials()
    # written again in any case: a newer version's new secrets must stay what they are from now on
    write_private(path, msgspec.json.format(msgspec.json.encode(credentials)).decode())
    return credentials
