"""What the bridge says of expired accounts: whom it may name, and how much at once."""

import pytest
from bitnexus_synapse_module.expiry_request import MAX_CHANGES, Changes, read_changes
from bitnexus_synapse_module.stream_request import ParameterError
from module_cases import ANNA, BEN, BITNEXUS, OURS, RELAY


def test_both_lists_are_read_and_each_may_be_absent() -> None:
    body = {"expired": [ANNA], "restored": [BEN]}
    assert read_changes(body, OURS, "s") == Changes(expired=frozenset({ANNA}), restored=frozenset({BEN}))
    assert read_changes({"restored": [BEN, BEN]}, OURS, "s") == Changes(expired=frozenset(), restored=frozenset({BEN}))
    assert read_changes({}, OURS, "s") == Changes(expired=frozenset(), restored=frozenset())


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"everybody": True}, "everybody"),
        ({"expired": ANNA}, "expired"),
        ({"expired": {ANNA: True}}, "expired"),
        ({"expired": None}, "expired"),
        ({"restored": [None]}, "restored"),
        ({"restored": [[ANNA]]}, "restored"),
        ({"expired": [""]}, "expired"),
        ({"expired": ["u_anna:s"]}, "expired"),
        ({"expired": ["@:s"]}, "expired"),
        ({"expired": ["@u_anna"]}, "expired"),
        ({"expired": ["@u_anna:elsewhere"]}, "expired"),
        ({"expired": [ANNA, BITNEXUS]}, "expired"),
        ({"restored": [RELAY]}, "restored"),
        ({"expired": [ANNA, BEN], "restored": [BEN]}, "restored"),
    ],
    ids=str,
)
def test_whatever_else_is_refused_and_named(body: dict[str, object], word: str) -> None:
    with pytest.raises(ParameterError, match=word) as refusal:
        read_changes(body, OURS, "s")
    assert "u_anna" not in str(refusal.value)


def test_a_request_speaks_of_a_thousand_people_at_most() -> None:
    people = [f"@u_{number}:s" for number in range(MAX_CHANGES + 1)]
    assert len(read_changes({"expired": people[:-1]}, OURS, "s").expired) == MAX_CHANGES
    for body in ({"expired": people}, {"expired": people[:-1], "restored": people[-1:]}):
        with pytest.raises(ParameterError, match=str(MAX_CHANGES)):
            read_changes(body, OURS, "s")
