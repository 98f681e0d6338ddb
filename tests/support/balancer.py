"""A proxy as it stands in front of several replicas: the first that takes a connection gets it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress


class Balancer:
    """Passes each connection to the first of ``ports`` on 127.0.0.1 that takes it; none: the connection is closed."""

    def __init__(self) -> None:
        self.ports: Sequence[int] = ()
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen, and return where."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in self.ports:
            try:
                behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            both = [_pipe(reader, behind_writer), _pipe(behind_reader, writer)]
            for way in both:
                task = asyncio.create_task(way)
                self._pipes.add(task)
                task.add_done_callback(self._pipes.discard)
            return
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
