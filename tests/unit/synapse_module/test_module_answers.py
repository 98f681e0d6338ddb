"""What the bridge answers: only a clear yes is one."""

import json

import pytest
from bitnexus_synapse_module.answer import MAX_ANSWER_BYTES, MAX_SENTENCE_LENGTH, read_answer
from bitnexus_synapse_module.decision import SENTENCES, Decision, Grant, Refusal
from hypothesis import given
from hypothesis import strategies as st

YES = b'{"allow": true, "sentence": ""}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (YES, Decision(Grant.BRIDGE_ALLOWS)),
        (b'{"allow": true}', Decision(Grant.BRIDGE_ALLOWS)),
        (b'{"allow": true, "sentence": null, "later": 1}', Decision(Grant.BRIDGE_ALLOWS)),
        (b'{"allow": false, "sentence": "Acme is suspended."}', Decision(Refusal.BRIDGE_DENIES, "Acme is suspended.")),
        (b'{"allow": false}', Decision(Refusal.BRIDGE_DENIES)),
        (b'{"allow": false, "sentence": " \\n "}', Decision(Refusal.BRIDGE_DENIES)),
        (b'{"allow": 1}', Decision(Refusal.BRIDGE_UNREADABLE)),
        (b'{"allow": "true"}', Decision(Refusal.BRIDGE_UNREADABLE)),
        (b'{"allow": null}', Decision(Refusal.BRIDGE_UNREADABLE)),
        (b'{"allow": true, "sentence": 5}', Decision(Refusal.BRIDGE_UNREADABLE)),
        (b'{"Allow": true}', Decision(Refusal.BRIDGE_UNREADABLE)),
        (b"true", Decision(Refusal.BRIDGE_UNREADABLE)),
        (b"[]", Decision(Refusal.BRIDGE_UNREADABLE)),
        (b"", Decision(Refusal.BRIDGE_UNREADABLE)),
        (b"<html>", Decision(Refusal.BRIDGE_UNREADABLE)),
        (b"\xff\xfe", Decision(Refusal.BRIDGE_UNREADABLE)),
        (b"[" * 10_000, Decision(Refusal.BRIDGE_UNREADABLE)),
        (YES + b" " * MAX_ANSWER_BYTES, Decision(Refusal.BRIDGE_UNREADABLE)),
    ],
)
def test_an_answer(body: bytes, expected: Decision) -> None:
    assert read_answer(200, body) == expected


@pytest.mark.parametrize("status", [100, 201, 204, 302, 401, 403, 404, 500, 503])
def test_only_200_is_an_answer(status: int) -> None:
    assert read_answer(status, YES) == Decision(Refusal.BRIDGE_STATUS)


def test_the_bridges_words_are_shown_in_one_short_line() -> None:
    words = "No.\n\tReally   no. " * 100
    decision = read_answer(200, json.dumps({"allow": False, "sentence": words}).encode())
    assert decision.sentence.startswith("No. Really no. No.")
    assert len(decision.sentence) == MAX_SENTENCE_LENGTH


def test_without_words_of_the_bridge_ours_are_shown() -> None:
    assert read_answer(200, b'{"allow": false}').sentence == SENTENCES[Refusal.BRIDGE_DENIES]


@given(st.integers(), st.binary(max_size=40))
def test_nothing_but_a_clear_yes_allows(status: int, body: bytes) -> None:
    assert not read_answer(status, body).allowed
