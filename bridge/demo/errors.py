"""What can go wrong with the embedded stack, in words for the person who started it."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from bridge.errors import BitnexusError


class DemoError(BitnexusError):
    """The demo cannot be prepared, started or stopped; the sentence names the part and what to do."""


@contextmanager
def demo_errors_joined() -> Generator[None, None, None]:
    """Turn a group that holds only DemoErrors into one; work done side by side fails in groups."""
    try:
        yield
    except ExceptionGroup as group:
        ours, others = group.split(DemoError)
        if ours is None or others is not None:
            raise
        sentences = [str(error) for error in _leaves(ours)]
        raise DemoError("\n".join(dict.fromkeys(sentences))) from None


def _leaves(group: ExceptionGroup[DemoError]) -> Iterator[DemoError]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
