"""Ask the bridge what room state cannot say, over one kept connection; no clear answer in time is a refusal."""

import json
import logging
from collections.abc import Generator, Mapping
from io import BytesIO
from typing import Any, Final, NoReturn

from prometheus_client import Histogram
from synapse.module_api import make_deferred_yieldable
from twisted.internet.defer import Deferred, TimeoutError, inlineCallbacks  # noqa: A004  (Twisted's own is meant)
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    FileBodyProducer,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http_headers import Headers

from bitnexus_synapse_module.answer import MAX_ANSWER_BYTES, read_answer
from bitnexus_synapse_module.config import Settings
from bitnexus_synapse_module.decision import Decision, Refusal

logger = logging.getLogger(__name__)

# shorter than any server's patience with an idle connection, so that we do not speak into one that it just closed
IDLE_SECONDS: Final = 30

BRIDGE_SECONDS: Final = Histogram(
    "bitnexus_module_bridge_seconds",
    "How long the bridge took to answer the BitNexus module, failures included.",
    ["question"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)

_FAILURES: Final = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
)


class PolicyClient:
    """Questions to ``{policy_url}/<question>``; each ends within the timeout, counted from its beginning."""

    def __init__(self, reactor: IReactorTime, settings: Settings) -> None:
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = 1
        pool.cachedConnectionTimeout = IDLE_SECONDS
        self._agent = Agent(reactor, connectTimeout=settings.timeout_seconds, pool=pool)
        self._reactor = reactor
        self._policy_url = settings.policy_url.encode("ascii")
        self._timeout_seconds = settings.timeout_seconds
        self._headers = Headers(
            {
                b"Authorization": [b"Bearer " + settings.secret.encode("ascii")],
                b"Content-Type": [b"application/json"],
                b"Accept": [b"application/json"],
                b"User-Agent": [b"bitnexus-synapse-module"],
            }
        )

    async def may_sign_in(self, user_id: str) -> Decision:
        """Ask whether this person may sign in at present."""
        return await self._ask("login", {"user_id": user_id})

    async def start_chat(self, user_id: str, invitees: list[str]) -> Decision:
        """Have the bridge make the direct chat that a person starts; its answer is what they are told."""
        return await self._ask("direct_chat", {"user_id": user_id, "invitees": invitees})

    async def _ask(self, question: str, about: Mapping[str, object]) -> Decision:
        exchange = self._exchange(question, json.dumps(about).encode("utf-8"))
        exchange.addTimeout(self._timeout_seconds, self._reactor, _time_out)
        try:
            with BRIDGE_SECONDS.labels(question).time():
                status, body = await make_deferred_yieldable(exchange)
        except TimeoutError:
            logger.warning("The bridge did not answer %s within %g s: refused", question, self._timeout_seconds)
            return Decision(Refusal.BRIDGE_TIMEOUT)
        except _FAILURES as failure:
            logger.warning("The bridge could not be asked %s (%s): refused", question, type(failure).__name__)
            return Decision(Refusal.BRIDGE_UNREACHABLE)
        return read_answer(status, body)

    @inlineCallbacks
    def _exchange(self, question: str, payload: bytes) -> Generator[Deferred[Any], Any, tuple[int, bytes]]:
        # Plain Twisted: no redirects, no proxy, and cancelling it closes the connection at once.
        # Synapse's SimpleHttpClient would keep a hanging one open for its own 60 seconds.
        url = self._policy_url + b"/" + question.encode("ascii")
        body: Any = FileBodyProducer(BytesIO(payload))
        response = yield self._agent.request(b"POST", url, self._headers, body)
        collected = _Body()
        response.deliverBody(collected)
        content: bytes = yield collected.done
        return response.code, content


def _time_out(_: object, seconds: float) -> NoReturn:
    """Name the cause: a request that is cut off fails in its own words, which differ with how far it was."""
    raise TimeoutError(f"no answer within {seconds:g} s")


class _Body(Protocol):
    """Collects a body, and hangs up as soon as it is longer than any answer."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._received = bytearray()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  (Twisted's name)
        """Take the next piece."""
        self._received += data
        if len(self._received) > MAX_ANSWER_BYTES:
            self._finish()
            self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802  (Twisted's name)
        """End the body, whole or broken."""
        if reason.check(ResponseDone):
            self._finish()
        elif not self.done.called:
            self.done.errback(reason)

    def _finish(self) -> None:
        if not self.done.called:
            self.done.callback(bytes(self._received))

    def _hang_up(self) -> None:
        transport: Any = self.transport  # a zope interface, which type checkers do not read
        transport.abortConnection()
