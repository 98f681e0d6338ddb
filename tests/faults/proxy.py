"""A TCP proxy between two parts: it can be slow, deaf to answers, or cut."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_PIECE = 65_536


@dataclass(slots=True, kw_only=True)
class Leg:
    """A way from anybody who connects to ``port`` to the part that listens on ``target``.

    ``delay_seconds`` holds each piece up, ``bytes_per_second`` throttles, and while ``is_deaf`` requests go through and
    answers do not come back, and while ``is_down`` there is no way at all.
    """

    name: str
    target: int
    delay_seconds: float = 0.0
    bytes_per_second: float | None = None
    is_deaf: bool = False
    is_down: bool = False
    port: int = 0
    cuts: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def heal(self) -> None:
        """Be as if there were no proxy; what was kept from its receivers is lost with its connection."""
        was_deaf = self.is_deaf
        self.delay_seconds, self.bytes_per_second, self.is_deaf, self.is_down = 0.0, None, False, False
        if was_deaf:
            self.cut()

    def break_down(self) -> None:
        """Break all connections and let none come to be, until healed."""
        self.is_down = True
        self.cut()

    def cut(self) -> int:
        """Break all connections as a cable would, and return how many there were."""
        broken = len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()
        self.cuts += broken
        return broken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.is_down:
                raise ConnectionRefusedError
            away, to = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, to}
        try:
            # either side's end is the other's: nothing half open is left behind
            ways = {
                asyncio.create_task(self._pump(reader, to)),
                asyncio.create_task(self._pump(away, writer, is_answer=True)),
            }
            _, late = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for task in late:
                task.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._open -= {writer, to}
            for end in (writer, to):
                end.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if self.bytes_per_second:
                    await asyncio.sleep(len(piece) / self.bytes_per_second)
                if is_answer and self.is_deaf:
                    continue
                writer.write(piece)
                await writer.drain()


@asynccontextmanager
async def running_leg(name: str, target: int) -> AsyncGenerator[Leg, None]:
    """Run a proxy to ``target`` for as long as the block lasts."""
    leg = Leg(name=name, target=target)
    server = await asyncio.start_server(leg.serve, "127.0.0.1", 0)
    leg.port = server.sockets[0].getsockname()[1]
    try:
        yield leg
    finally:
        server.close()
        leg.cut()
