"""What the module serves the bridge, at ``/_bitnexus/module``: the streams, and who is expired."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from prometheus_client import Counter
from synapse.module_api import (
    DirectServeJsonResource,
    EventBase,
    JsonDict,
    SynapseRequest,
    parse_json_object_from_request,
)
from synapse.module_api.errors import Codes, SynapseError

from bitnexus_synapse_module.stream_request import (
    Credential,
    ParameterError,
    Wanted,
    check_credential,
    read_wanted,
    refuse_unknown,
)
from bitnexus_synapse_module.stream_source import StreamSource

logger = logging.getLogger(__name__)

PATH: Final = "/_bitnexus/module"
STREAM_POSITION: Final = "com.bitnexus.stream_position"

REQUESTS: Final = Counter(
    "bitnexus_module_stream_requests",
    "Requests of the bridge for the streams, by what was asked for and how it ended.",
    ["stream", "outcome"],
)
ITEMS: Final = Counter(
    "bitnexus_module_stream_items", "Events and receipts that were handed to the bridge on request.", ["stream"]
)

Answer = tuple[int, JsonDict]
Put = Callable[[JsonDict], Awaitable[None]]
"""Does what a PUT request's body says; raises ParameterError."""


class StreamResource(DirectServeJsonResource):
    """Serves requests that carry the secret; whatever goes wrong here is an error of Synapse's own form.

    ``puts`` has what can be set, by its name below the path.
    """

    isLeaf = True  # noqa: N815  (Twisted's name)

    def __init__(self, source: StreamSource, secret: str, puts: Mapping[str, Put]) -> None:
        super().__init__()
        self._source, self._secret, self._puts = source, secret, puts
        self._instance = secrets.token_hex(8)
        self._pages: dict[str, Callable[[Wanted], Awaitable[JsonDict]]] = {
            "events": source.events,
            "receipts": source.receipts,
        }

    async def _async_render_GET(self, request: SynapseRequest) -> Answer:  # noqa: N802  (Synapse's name)
        stream = self._name(request)
        try:
            answer = await self._answer(request, stream)
        except SynapseError:
            REQUESTS.labels(stream, "refused").inc()
            raise
        except Exception:  # Synapse logs it, and answers 500
            REQUESTS.labels(stream, "failed").inc()
            raise
        REQUESTS.labels(stream, "done").inc()
        return HTTPStatus.OK, answer

    async def _async_render_PUT(self, request: SynapseRequest) -> Answer:  # noqa: N802  (Synapse's name)
        self._require_secret(request)
        put = self._puts.get(b"/".join(request.postpath or ()).decode(errors="replace"))
        if put is None:
            raise SynapseError(HTTPStatus.METHOD_NOT_ALLOWED, "Nothing can be put here.", Codes.UNRECOGNIZED)
        body = parse_json_object_from_request(request)
        try:
            refuse_unknown(request.args or {})
            await put(body)
        except ParameterError as error:
            raise SynapseError(HTTPStatus.BAD_REQUEST, str(error), Codes.INVALID_PARAM) from None
        return HTTPStatus.OK, {}

    def _name(self, request: SynapseRequest) -> str:
        name = b"/".join(request.postpath or ()).decode(errors="replace")
        return name if name == "stream" or name in self._pages else "unknown"

    async def _answer(self, request: SynapseRequest, stream: str) -> JsonDict:
        self._require_secret(request)
        if stream == "unknown":
            raise SynapseError(HTTPStatus.NOT_FOUND, "There is no such thing here.", Codes.UNRECOGNIZED)
        try:
            if stream == "stream":
                refuse_unknown(request.args or {})
                return self._ends()
            wanted = read_wanted(request.args or {})
        except ParameterError as error:
            errcode = Codes.MISSING_PARAM if error.is_missing else Codes.INVALID_PARAM
            raise SynapseError(HTTPStatus.BAD_REQUEST, str(error), errcode) from None
        page = await self._pages[stream](wanted)
        ITEMS.labels(stream).inc(len(page[stream]))
        return page

    def _require_secret(self, request: SynapseRequest) -> None:
        match check_credential(request.requestHeaders.getRawHeaders(b"Authorization") or (), self._secret):
            case Credential.MISSING:
                sentence = "The secret is missing: it belongs into the Authorization header, as a bearer token."
                raise SynapseError(HTTPStatus.UNAUTHORIZED, sentence, Codes.MISSING_TOKEN)
            case Credential.WRONG:
                raise SynapseError(HTTPStatus.FORBIDDEN, "This is not the module's secret.", Codes.FORBIDDEN)
            case Credential.RIGHT:
                pass

    def _ends(self) -> JsonDict:
        return {
            "instance": self._instance,
            "events": self._source.events_end(),
            "receipts": self._source.receipts_end(),
        }


async def add_stream_position(event: EventBase) -> JsonDict:
    """Give an event's place in the stream, which Synapse adds to its ``unsigned`` for whoever may see the event.

    Without a place, or when it cannot be read, nothing is added: a failure here would break everybody's sync.
    """
    try:
        position = event.internal_metadata.stream_ordering
    except Exception:  # the frame that has to hold, as in gate.py
        logger.exception("The BitNexus module could not read an event's place in the stream")
        return {}
    return {STREAM_POSITION: position} if isinstance(position, int) and position > 0 else {}
