"""Bearer tokens: which credential they are, whatever they look like."""

import hashlib

import pytest

from bridge.api.auth import Authenticator
from bridge.api.call import CredentialKind, Noun, Route
from bridge.errors import BitnexusError, Forbidden, MissingCredential, UnknownCredential
from bridge.model.credential import IntegrationCredential, PlatformCredential, SessionCredential
from bridge.model.ids import DeviceID, MemberID
from tests.unit.house import House
from tests.unit.people import ACME, member, tenant_of

PLATFORM_KEY = "Platform-Key"
ALL: frozenset[CredentialKind] = frozenset({"platform", "integration", "session"})


def route(*credentials: CredentialKind) -> Route:
    async def handler(_call: object) -> None:
        raise AssertionError

    return Route(
        method="GET", path="/v1/x", handler=handler, noun=Noun.TENANTS, summary="x", credentials=frozenset(credentials)
    )


async def make() -> Authenticator:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    async with house.database.work(ACME) as work:
        await work.keys.add(
            name="n8n",
            prefix="bxi_key",
            secret_sha256=hashlib.sha256(b"bxi_key").digest(),
            scopes=("events:write",),
            room_keys=None,
            expires_at=None,
        )
    await house.sessions.add(
        token_sha256=hashlib.sha256(b"bxs_key").digest(),
        member_id=MemberID("ben"),
        device_id=DeviceID("D"),
        expires_at=house.clock.now(),
        epoch=0,
    )
    return Authenticator(platform_key=PLATFORM_KEY, database=house.database, sessions=house.sessions)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Bearer Platform-Key", PlatformCredential),
        ("bearer Platform-Key", PlatformCredential),
        ("BEARER  Platform-Key ", PlatformCredential),
        ("Bearer bxi_key", IntegrationCredential),
        ("Bearer bxs_key", SessionCredential),
    ],
)
async def test_a_token_is_known_for_what_it_is(header: str, kind: type[object]) -> None:
    assert isinstance(await (await make()).credential_for(route(*ALL), header), kind)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, MissingCredential),
        ("", MissingCredential),
        ("Bearer", MissingCredential),
        ("Bearer ", MissingCredential),
        ("Bearer    ", MissingCredential),
        ("Basic UGxhdGZvcm0tS2V5", MissingCredential),
        ("Platform-Key", MissingCredential),
        ("Bearer\tPlatform-Key", MissingCredential),
        ("BearerPlatform-Key", MissingCredential),
        ("Bearer platform-key", UnknownCredential),
        ("Bearer Platform-Ke", UnknownCredential),
        ("Bearer Platform-Keyy", UnknownCredential),
        ("Bearer Platform-Key,bxi_key", UnknownCredential),
        ("Bearer Bearer Platform-Key", UnknownCredential),
        ("Bearer bxi_Platform-Key", UnknownCredential),
        ("Bearer bxs_Platform-Key", UnknownCredential),
        ("Bearer bxi_", UnknownCredential),
        ("Bearer bxs_", UnknownCredential),
        ("Bearer BXI_key", UnknownCredential),
        ("Bearer bxi-key", UnknownCredential),
        ("Bearer bxs_key\u200b", UnknownCredential),
        ("Bearer \udcff\udcfe", UnknownCredential),
        ("Bearer bxі_key", UnknownCredential),  # noqa: RUF001 - a Cyrillic letter
        ("Bearer " + "x" * 100_000, UnknownCredential),
    ],
)
async def test_what_only_looks_like_a_token_is_refused(header: str | None, error: type[BitnexusError]) -> None:
    with pytest.raises(error):
        await (await make()).credential_for(route(*ALL), header)


@pytest.mark.parametrize("token", ["Platform-Key", "bxi_key", "bxs_key"])
async def test_a_good_token_does_not_reach_a_route_of_another_kind(token: str) -> None:
    authenticator = await make()
    found = await authenticator.credential_for(route(*ALL), f"Bearer {token}")
    kinds: dict[type[object], CredentialKind] = {
        PlatformCredential: "platform",
        IntegrationCredential: "integration",
        SessionCredential: "session",
    }
    own = kinds[type(found)]
    assert await authenticator.credential_for(route(own), f"Bearer {token}") == found
    with pytest.raises(Forbidden):
        await authenticator.credential_for(route(*(ALL - {own})), f"Bearer {token}")


async def test_an_open_route_looks_at_no_token() -> None:
    assert await (await make()).credential_for(route(), "Bearer whatever") is None


async def test_an_empty_platform_key_lets_nobody_in() -> None:
    house = House()
    authenticator = Authenticator(platform_key="", database=house.database, sessions=house.sessions)
    with pytest.raises(BitnexusError):
        await authenticator.credential_for(route("platform"), "Bearer ")
