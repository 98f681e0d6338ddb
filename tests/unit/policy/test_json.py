"""Comparing JSON values is comparing their canonical forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.json import Json, canonical_json, same_json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 0.5]) | st.sampled_from(["", "a", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)


@given(values, values)
def test_two_values_are_the_same_when_their_canonical_forms_are(one: Json, other: Json) -> None:
    assert same_json(one, other) == (canonical_json(one) == canonical_json(other))


@given(values)
def test_a_value_is_the_same_as_itself_with_tuples_for_lists(value: Json) -> None:
    assert same_json(value, value)
    assert same_json([value, value], (value, value))


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (False, 0), (None, False), ("1", 1), ([], {}), ([1], "1"), ({}, None), ("", [])]
)
def test_what_python_takes_for_equal_is_told_apart(one: Json, other: Json) -> None:
    assert not same_json(one, other)
    assert not same_json(other, one)
