"""Read what the bridge answered; whatever is not a clear yes is a no."""

import json
from typing import Final

from bitnexus_synapse_module.decision import Decision, Grant, Refusal

MAX_ANSWER_BYTES: Final = 16 * 1024
MAX_SENTENCE_LENGTH: Final = 300

_OK: Final = 200
_UNREADABLE: Final = Decision(Refusal.BRIDGE_UNREADABLE)


def read_answer(status: int, body: bytes) -> Decision:
    """Read ``{"allow": true|false, "sentence": "..."}``, where the sentence is for a person and may be absent."""
    if status != _OK:
        return Decision(Refusal.BRIDGE_STATUS)
    if len(body) > MAX_ANSWER_BYTES:
        return _UNREADABLE
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return _UNREADABLE
    if not isinstance(answer, dict):
        return _UNREADABLE
    return _decide(answer.get("allow"), answer.get("sentence"))


def _decide(allow: object, sentence: object) -> Decision:
    if not isinstance(sentence, str | None):
        return _UNREADABLE
    # `is`, because 1 and 1.0 equal True
    if allow is True:
        return Decision(Grant.BRIDGE_ALLOWS)
    if allow is False:
        return Decision(Refusal.BRIDGE_DENIES, said=_shorten(sentence))
    return _UNREADABLE


def _shorten(sentence: str | None) -> str | None:
    words = " ".join((sentence or "").split())
    return words[:MAX_SENTENCE_LENGTH] or None
