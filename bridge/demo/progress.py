"""Show what is being done: live spinners on a terminal, plain lines anywhere else."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

_ONE_LINE = Column(no_wrap=True, overflow="ellipsis", ratio=1)


@dataclass(slots=True)
class Step:
    """One piece of work that is shown; ``detail`` tells what it is doing now."""

    name: str
    _bars: Progress | None = None
    _bar: TaskID = field(default=TaskID(0))

    def detail(self, text: str) -> None:
        """Show ``text`` behind the step's name, as far as the line goes; nothing where there is no terminal."""
        if self._bars is not None:
            self._bars.update(self._bar, detail=text.strip())


@dataclass(slots=True)
class Steps:
    """Steps that may run side by side."""

    console: Console = field(default_factory=Console)
    _bars: Progress | None = None

    @contextmanager
    def shown(self) -> Generator["Steps", None, None]:
        """Keep the terminal's spinners alive while the block runs."""
        if not self.console.is_terminal:
            yield self
            return
        columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn())
        detail = TextColumn("{task.fields[detail]}", style="dim", markup=False, table_column=_ONE_LINE)
        with Progress(*columns, detail, console=self.console) as bars:
            self._bars = bars
            try:
                yield self
            finally:
                self._bars = None

    @contextmanager
    def step(self, name: str) -> Generator[Step, None, None]:
        """Show ``name`` as begun, and as ready or failed when the block ends."""
        bars, begun = self._bars, time.monotonic()
        if bars is None:
            self._say(f"{name}: begun")
            yield Step(name)
            self._say(f"{name}: ready in {time.monotonic() - begun:.1f} s")
            return
        bar = bars.add_task(name, total=1, detail="")
        try:
            yield Step(name, bars, bar)
        except BaseException:
            bars.update(bar, detail="failed")
            bars.stop_task(bar)
            raise
        bars.update(bar, completed=1, detail="")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
