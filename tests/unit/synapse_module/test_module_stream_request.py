"""What the bridge asks of the streams: whose request it is, which piece is wanted, and how far an answer reaches."""

import pytest
from bitnexus_synapse_module.stream_request import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    SPAN,
    Credential,
    ParameterError,
    Wanted,
    check_credential,
    read_wanted,
    refuse_unknown,
)
from hypothesis import given
from hypothesis import strategies as st

SECRET = "correct-horse"
LAST = 2**63 - 1


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([b"Bearer correct-horse"], Credential.RIGHT),
        ([b"bearer  correct-horse "], Credential.RIGHT),
        ([], Credential.MISSING),
        ([b""], Credential.MISSING),
        ([b"correct-horse"], Credential.MISSING),
        ([b"Basic correct-horse"], Credential.MISSING),
        ([b"Bearer"], Credential.WRONG),
        ([b"Bearer "], Credential.WRONG),
        ([b"Bearer correct-hors"], Credential.WRONG),
        ([b"Bearer correct-horse2"], Credential.WRONG),
        ([b"Bearer Correct-horse"], Credential.WRONG),
        ([b"Bearer \xff\xfe"], Credential.WRONG),
        ([b"Bearer wrong", b"Bearer correct-horse"], Credential.WRONG),
        ([b"Bearer correct-horse", b"Bearer correct-horse"], Credential.WRONG),
    ],
)
def test_one_header_with_the_secret_is_right(headers: list[bytes], credential: Credential) -> None:
    assert check_credential(headers, SECRET) == credential


def test_a_whole_request() -> None:
    query = {b"after": [b"5"], b"until": [b"70"], b"limit": [b"20"]}
    assert read_wanted(query) == Wanted(after=5, until=70, limit=20)


def test_only_after_is_needed() -> None:
    assert read_wanted({b"after": [b"0"]}) == Wanted(after=0, until=None, limit=DEFAULT_LIMIT)


def test_the_bounds_are_allowed() -> None:
    most = {b"after": [str(LAST).encode()], b"until": [str(LAST).encode()], b"limit": [str(MAX_LIMIT).encode()]}
    assert read_wanted(most) == Wanted(after=LAST, until=LAST, limit=MAX_LIMIT)
    assert read_wanted({b"after": [b"0"], b"until": [b"0"], b"limit": [b"1"]}) == Wanted(after=0, until=0, limit=1)


NUMBERS_THAT_ARE_NONE = (b"", b"x", b"-1", b"+1", b" 1", b"1.0", b"1e3", b"0x1", "\u0663".encode(), b"\xff", b"1\n")


@pytest.mark.parametrize("name", ["after", "until", "limit"])
@pytest.mark.parametrize("value", [*NUMBERS_THAT_ARE_NONE, str(LAST + 1).encode(), b"9" * 5000])
def test_a_bad_number_is_named(name: str, value: bytes) -> None:
    with pytest.raises(ParameterError, match=f"^parameter '{name}' must be an integer from ") as caught:
        read_wanted({b"after": [b"1"]} | {name.encode(): [value]})
    assert not caught.value.is_missing


@pytest.mark.parametrize("value", [0, MAX_LIMIT + 1])
def test_a_limit_is_bounded(value: int) -> None:
    with pytest.raises(ParameterError, match="'limit' must be an integer from 1 to 1000"):
        read_wanted({b"after": [b"1"], b"limit": [str(value).encode()]})


def test_a_missing_after_is_named() -> None:
    with pytest.raises(ParameterError, match="'after' is missing") as caught:
        read_wanted({b"limit": [b"1"]})
    assert caught.value.is_missing


@pytest.mark.parametrize("name", [b"after", b"until", b"limit"])
def test_a_parameter_is_given_once(name: bytes) -> None:
    with pytest.raises(ParameterError, match="more than once"):
        read_wanted({b"after": [b"1"]} | {name: [b"1", b"1"]})


@pytest.mark.parametrize("name", [b"access_token", b"secret", b"After", b"\xff" * 99])
def test_an_unknown_parameter_is_refused(name: bytes) -> None:
    with pytest.raises(ParameterError, match="unknown parameter ") as caught:
        read_wanted({b"after": [b"1"], name: [b"correct-horse"]})
    assert "correct-horse" not in str(caught.value)
    assert len(str(caught.value)) < 100


def test_what_takes_no_parameters_refuses_all() -> None:
    refuse_unknown({})
    with pytest.raises(ParameterError, match="unknown parameter 'after'"):
        refuse_unknown({b"after": [b"1"]})


def test_a_request_looks_at_a_bounded_range() -> None:
    wanted = Wanted(after=100, until=None, limit=10)
    assert wanted.upper(end=LAST) == wanted.reached([], end=LAST) == 100 + SPAN
    assert wanted.upper(end=150) == wanted.reached([], end=150) == 150
    assert Wanted(after=100, until=120, limit=10).reached([], end=150) == 120


@pytest.mark.parametrize(("until", "end"), [(None, 40), (40, 200), (40, 40)])
def test_an_answer_never_goes_back(until: int | None, end: int) -> None:
    assert Wanted(after=100, until=until, limit=10).reached([], end) == 100


@given(
    positions=st.sets(st.integers(1, 5 * SPAN), max_size=40),
    after=st.integers(0, 5 * SPAN),
    until=st.none() | st.integers(0, 6 * SPAN),
    end=st.integers(0, 5 * SPAN),
    limit=st.integers(1, 5),
)
def test_pages_one_behind_the_other_give_everything_once(
    positions: set[int], after: int, until: int | None, end: int, limit: int
) -> None:
    last = end if until is None else min(until, end)
    given_out: list[int] = []
    position = after
    while position < last:
        wanted = Wanted(after=position, until=until, limit=limit)
        page = sorted(p for p in positions if position < p <= wanted.upper(end))[:limit]
        reached = wanted.reached(page, end)
        assert position < reached <= last
        given_out += page
        position = reached
    assert given_out == sorted(p for p in positions if after < p <= last)
