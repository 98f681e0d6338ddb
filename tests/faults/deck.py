"""Random without luck: cards drawn from a shuffled deck, so that each kind comes up as often as it should."""

import random
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

Card = TypeVar("Card")


class Deck(Generic[Card]):
    """Deals all cards in a random order, then shuffles them again; ``weights`` says how many of a card there are."""

    def __init__(self, rng: random.Random, weights: Mapping[Card, int] | Sequence[Card]) -> None:
        counts = weights if isinstance(weights, Mapping) else dict.fromkeys(weights, 1)
        self._cards = [card for card, count in counts.items() for _ in range(count)]
        self._rng = rng
        self._left: list[Card] = []

    def draw(self) -> Card:
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()


def seeded(seed: int, name: str) -> random.Random:
    """Return the random source of one part of a run: parts do not disturb each other's sequence."""
    return random.Random(f"{seed}/{name}")  # noqa: S311 - to be repeated, not to be secret
