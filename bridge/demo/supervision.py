"""Keep a running demo running: a part that ends by itself is started again, unless it keeps ending."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.demo.errors import DemoError
from bridge.demo.stack import Part

_ENDS_ALLOWED = 5
_WITHIN_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Supervision:
    """Watches parts by name; ``say`` is told what happens, ``restarted`` is called when there are new pids."""

    parts: Mapping[str, Part]
    say: Callable[[str], None]
    restarted: Callable[[], None]
    _ends: deque[float] = field(default_factory=lambda: deque[float](maxlen=_ENDS_ALLOWED))

    async def run(self) -> None:
        """Watch until cancelled; raises DemoError when parts end too often to go on."""
        async with asyncio.TaskGroup() as group:
            for name, part in self.parts.items():
                group.create_task(self._watch(name, part))

    async def _watch(self, name: str, part: Part) -> None:
        while True:
            status = await part.process.wait()
            self._count(name, part, status)
            self.say(f"{name} ended with status {status}; starting it again")
            await part.start()
            self.say(f"{name} is ready again")
            self.restarted()

    def _count(self, name: str, part: Part, status: int) -> None:
        now = time.monotonic()
        if len(self._ends) == _ENDS_ALLOWED and now - self._ends[0] < _WITHIN_SECONDS:
            raise DemoError(f"{name} ended again, with status {status}: giving up.\n{part.process.tail()}")
        self._ends.append(now)
