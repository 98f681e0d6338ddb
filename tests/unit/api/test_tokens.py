"""Signed tokens of the BitNexus backend (rows 2 and 28): one issuer, one audience, one algorithm, one key."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from bridge.api.tokens import JwtVerifier, TrustedIssuer
from bridge.errors import UnknownCredential

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KEYS: dict[str, PrivateKey] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
OTHERS: dict[str, PrivateKey] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
DEMO_SECRET = "a secret of the demo, longer than 32 bytes"


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def public_pem(key: PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


VERIFIER = JwtVerifier(
    [
        *(TrustedIssuer(iss=f"https://{alg}", aud="bitnexus-chat", alg=alg, key=public_pem(KEYS[alg])) for alg in KEYS),
        TrustedIssuer(iss="https://HS256", aud="bitnexus-chat", alg="HS256", key=DEMO_SECRET),
    ],
    Now(),
)
ALGORITHMS = [*KEYS, "HS256"]


def claims(alg: str = "EdDSA", **more: Any) -> dict[str, Any]:
    whole = {
        "iss": f"https://{alg}",
        "aud": "bitnexus-chat",
        "sub": "ben",
        "jti": "j1",
        "exp": int(time.time()) + 120,
        **more,
    }
    return {name: value for name, value in whole.items() if value is not None}


def sign(payload: dict[str, Any], alg: str = "EdDSA", headers: dict[str, Any] | None = None) -> str:
    key = DEMO_SECRET if alg == "HS256" else KEYS[alg]
    return jwt.encode(payload, key, algorithm=alg, headers=headers)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_token(header: object, payload: object, sign_it: Callable[[bytes], bytes] = lambda _: b"") -> str:
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}"
    return f"{signed}.{b64(sign_it(signed.encode()))}"


def glued(header: bytes, payload: bytes) -> str:
    return f"{b64(header)}.{b64(payload)}."


def refuse(token: str) -> None:
    with pytest.raises(UnknownCredential) as refused:
        VERIFIER.verify(token)
    assert refused.value.status == 401
    assert len(refused.value.sentence) < 100, "it does not repeat the token"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_good_token_says_who_it_is_for(alg: str) -> None:
    payload = claims(alg)
    verified = VERIFIER.verify(sign(payload, alg))
    assert (verified.iss, verified.jti, verified.member_id) == (f"https://{alg}", "j1", "ben")
    assert verified.expires_at == datetime.fromtimestamp(payload["exp"], UTC)


class Ahead(int):
    """Seconds from the moment that the test runs; the tests are collected long before."""


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://elsewhere"},
        {"iss": None},
        {"iss": ["https://EdDSA"]},
        {"iss": "https://eddsa"},
        {"aud": "synapse"},
        {"aud": None},
        {"aud": ["synapse"]},
        {"aud": "BITNEXUS-CHAT"},
        {"exp": None},
        {"exp": "soon"},
        {"exp": Ahead(-60)},
        {"exp": Ahead(400)},
        {"exp": Ahead(10**9)},
        {"exp": 10**30},
        {"exp": -1},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": True},
        {"nbf": Ahead(300)},
        {"iat": Ahead(300)},
        {"jti": None},
        {"jti": 5},
        {"jti": ""},
        {"jti": "a\0b"},
        {"sub": None},
        {"sub": 5},
        {"sub": ""},
        {"sub": "Ben"},
        {"sub": "ben/../anna"},
        {"sub": "@ben:s"},
        {"sub": "ben\n"},
        {"sub": "bеn"},  # noqa: RUF001 - a Cyrillic letter
        {"sub": "a" * 65},
        {"sub": ["ben"]},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_is_refused(alg: str, wrong: dict[str, Any]) -> None:
    now = int(time.time())
    payload = claims(alg, **{name: now + value if isinstance(value, Ahead) else value for name, value in wrong.items()})
    key = DEMO_SECRET if alg == "HS256" else KEYS[alg]
    # by hand: PyJWT would not write some of these
    refuse(jwt.api_jws.encode(json.dumps(payload).encode(), key, algorithm=alg, headers={"typ": "JWT"}))


@pytest.mark.parametrize("alg", list(KEYS))
def test_a_key_of_somebody_else_is_refused(alg: str) -> None:
    refuse(jwt.encode(claims(alg), OTHERS[alg], algorithm=alg))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None])
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_unsigned_token_is_refused(alg: str, name: str | None) -> None:
    refuse(raw_token({"typ": "JWT", "alg": name}, claims(alg)))


@pytest.mark.parametrize("hashed", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("alg", list(KEYS))
def test_a_public_key_is_no_shared_secret(alg: str, hashed: str) -> None:
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[hashed]
    pem = public_pem(KEYS[alg])
    for secret in (pem, pem.strip(), "".join(pem.splitlines()[1:-1])):
        header = {"typ": "JWT", "alg": hashed}
        refuse(raw_token(header, claims(alg), lambda data, key=secret: hmac.new(key.encode(), data, digest).digest()))


@pytest.mark.parametrize("issuer", ALGORITHMS)
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_issuer_signs_by_its_one_algorithm(issuer: str, alg: str) -> None:
    if issuer != alg:
        refuse(sign(claims(issuer), alg))


@pytest.mark.parametrize(
    ("issuer", "alg"),
    [("RS256", "RS384"), ("RS256", "RS512"), ("RS256", "PS256"), ("HS256", "HS384"), ("HS256", "HS512")],
)
def test_the_right_key_by_another_algorithm_is_refused(issuer: str, alg: str) -> None:
    key = DEMO_SECRET * 2 if issuer == "HS256" else KEYS[issuer]
    verifier = JwtVerifier(
        [TrustedIssuer(iss=f"https://{issuer}", aud="bitnexus-chat", alg=issuer, key=_verifying(key))], Now()
    )
    assert verifier.verify(jwt.encode(claims(issuer), key, algorithm=issuer)).member_id == "ben"
    with pytest.raises(UnknownCredential):
        verifier.verify(jwt.encode(claims(issuer), key, algorithm=alg))


def _verifying(key: str | PrivateKey) -> str:
    return key if isinstance(key, str) else public_pem(key)


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "unknown"},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1"},
        {"jku": "https://evil.example/keys.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
    ],
    ids=str,
)
def test_the_header_chooses_no_key(headers: dict[str, Any]) -> None:
    refuse(jwt.encode(claims(), OTHERS["EdDSA"], algorithm="EdDSA", headers=headers))


def test_a_key_inside_the_header_is_not_used() -> None:
    own = OTHERS["EdDSA"].public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(own)}
    refuse(jwt.encode(claims(), OTHERS["EdDSA"], algorithm="EdDSA", headers={"jwk": jwk}))


def test_key_ids_that_nobody_knows_are_as_good_as_none() -> None:
    """An issuer has one key, which the configuration holds: there is nothing to fetch, however often one asks."""
    assert VERIFIER.verify(sign(claims(), headers={"kid": "unknown"})).member_id == "ben"
    _, payload, signature = sign(claims(), headers={"kid": "0"}).split(".")
    for number in range(1, 500):
        header = b64(json.dumps({"typ": "JWT", "alg": "EdDSA", "kid": str(number)}).encode())
        refuse(f"{header}.{payload}.{signature}")


@pytest.mark.parametrize("crit", [["exp"], ["b64", "exp"], ["http://evil.example/x"], [], "b64", None], ids=str)
def test_an_extension_that_must_be_understood_is_refused(crit: object) -> None:
    headers = {"crit": crit, "b64": True, "http://evil.example/x": 1, "exp": 1}
    refuse(raw_token({"typ": "JWT", "alg": "EdDSA", **headers}, claims(), KEYS["EdDSA"].sign))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d",
        "bxs_session",
        "\0",
        "ä.ö.ü",
        "\ud800.a.b",
        "e30.e30.",
        glued(b"[]", b"{}"),
        glued(b"{}", b"[]"),
        glued(b"null", b"null"),
        raw_token({"alg": "EdDSA"}, []),
        raw_token({"alg": "EdDSA"}, "text"),
        raw_token({"alg": "EdDSA"}, None),
        raw_token({"alg": ["EdDSA"]}, {"iss": "https://EdDSA"}),
        raw_token({"alg": {"a": 1}}, {"iss": "https://EdDSA"}),
        glued(b"[" * 6000, b"{}"),
        glued(b'{"alg":"EdDSA"}', b"[" * 6000),
        glued(b'{"alg":"EdDSA"}', b'{"iss":' * 800),
        glued(b'{"alg":"EdDSA"}', b'{"iss":' + b"9" * 5000 + b"}"),
        glued(b'{"alg":"EdDSA"}', b"\xff\xfe"),
        "e30=.e30=.",
    ],
    ids=lambda token: repr(token)[:30],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    refuse(token)


def test_a_token_whose_payload_was_changed_is_refused() -> None:
    head, _, signature = sign(claims()).split(".")
    refuse(f"{head}.{b64(json.dumps(claims(sub='anna')).encode())}.{signature}")


def test_a_token_of_one_issuer_cannot_speak_for_another() -> None:
    refuse(sign(claims("RS256"), "EdDSA"))
    refuse(sign(claims("HS256"), "EdDSA"))


def test_two_long_ids_of_tokens_are_not_taken_for_one() -> None:
    accepted = []
    for end in ("1", "2"):
        try:
            accepted.append(VERIFIER.verify(sign(claims(jti="x" * 300 + end))).jti)
        except UnknownCredential:
            accepted.append(end)  # refusing is as good
    assert len(set(accepted)) == 2


def test_five_minutes_ahead_is_far_enough() -> None:
    assert VERIFIER.verify(sign(claims(exp=int(time.time()) + 299))).member_id == "ben"
    refuse(sign(claims(exp=int(time.time()) + 310)))
