"""What happened: what was put in, what stands in Synapse and in the bridge's read model, and what is left over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

InputKind = Literal["relay", "person"]


@dataclass(slots=True, kw_only=True)
class Input:
    """Something to be shown once in each of ``room_ids``; times are seconds of this machine's clock.

    ``acknowledged_at`` is None while, and for ever if, nobody said that it was taken: it is in doubt then.
    """

    mark: str
    kind: InputKind
    source: str
    number: int
    sender: str
    room_ids: tuple[str, ...]
    text: str
    sent_at: float
    acknowledged_at: float | None = None

    @property
    def is_acknowledged(self) -> bool:
        return self.acknowledged_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message in a room's timeline; ``position`` is its place in the homeserver's order."""

    event_id: str
    room_id: str
    sender: str
    text: str
    mark: str | None
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message as the bridge's read model has it."""

    event_id: str
    room_id: str
    tenant_id: str
    sender: str
    text: str
    mark: str | None
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All of a run; ``tenants`` says whose each room is, ``leftovers`` what should be empty and is not."""

    inputs: tuple[Input, ...]
    timeline: tuple[Message, ...]
    rows: tuple[Row, ...]
    tenants: Mapping[str, str]
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with a history, a sentence for each case."""

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    misordered: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    aliens: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()

    @property
    def faults(self) -> Mapping[str, tuple[str, ...]]:
        """Return the kinds of wrong that there are, each with its cases."""
        return {name: cases for name in self.__slots__ if (cases := getattr(self, name))}

    @property
    def is_clean(self) -> bool:
        return not self.faults

    def counts(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in self.__slots__}


@dataclass(slots=True)
class Findings:
    """A verdict in the making."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    misordered: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    aliens: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)

    def verdict(self) -> Verdict:
        return Verdict(**{name: tuple(getattr(self, name)) for name in self.__slots__})
