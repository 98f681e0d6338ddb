"""The homeserver's streams of our rooms, as our module in Synapse hands them out."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

import aiohttp
import msgspec

from bridge.errors import DependencyDown, HomeserverRefused
from bridge.matrix.events import Transaction, parse_transaction, receipt_id
from bridge.model.event import Receipt
from bridge.model.ids import EventID, RoomID, UserID
from bridge.model.stream import StreamEnds, StreamName, StreamPage
from bridge.telemetry import MATRIX_REQUESTS

PATH = "/_bitnexus/module"

T = TypeVar("T")


class _Ends(msgspec.Struct, frozen=True):
    instance: str
    events: int
    receipts: int


class _Page(msgspec.Struct, frozen=True):
    position: int
    end: int


class _RawReceipt(msgspec.Struct, frozen=True):
    room_id: RoomID
    event_id: EventID
    user_id: UserID
    receipt_type: str
    ts: int


class _Receipts(msgspec.Struct, frozen=True):
    receipts: list[_RawReceipt]


class _Refusal(msgspec.Struct, frozen=True):
    errcode: str


class SynapseStream:
    """Asks the module, with the secret that it shares with us; implements the port ``EventStream``."""

    def __init__(self, session: aiohttp.ClientSession, address: str, module_secret: str) -> None:
        self._session = session
        self._address = address.rstrip("/") + PATH
        self._headers = {"Authorization": f"Bearer {module_secret}"}

    async def present(self) -> StreamEnds:
        """Return where the streams end now."""
        ends = _convert(await self._get("stream", {}), _Ends)
        return StreamEnds(instance=ends.instance, events=ends.events, receipts=ends.receipts)

    async def read(self, stream: StreamName, *, after: int, until: int | None, limit: int) -> StreamPage:
        """Return the next piece of a stream."""
        query = {"after": str(after), "limit": str(limit)} | ({} if until is None else {"until": str(until)})
        body = await self._get(stream, query)
        page = _convert(body, _Page)
        transaction = parse_transaction(body) if stream == "events" else _receipts(body)
        return StreamPage(
            items=transaction.items, unparsable=transaction.unparsable, position=page.position, end=page.end
        )

    async def _get(self, what: str, query: Mapping[str, str]) -> bytes:
        try:
            async with self._session.get(f"{self._address}/{what}", params=query, headers=self._headers) as response:
                body = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            MATRIX_REQUESTS.labels(f"module_{what}", "unanswered").inc()
            raise DependencyDown(f"Synapse does not answer (module, {what}): {type(error).__name__}") from error
        check_answer(what, status, body)
        return body


def check_answer(what: str, status: int, body: bytes) -> None:
    """Count the module's answer; raises DependencyDown or HomeserverRefused where it is a refusal."""
    if status == HTTPStatus.OK:
        MATRIX_REQUESTS.labels(f"module_{what}", "done").inc()
        return
    MATRIX_REQUESTS.labels(f"module_{what}", "refused").inc()
    sentence = f"the module in Synapse answered {status} to '{what}': is it loaded, in this version, with our secret?"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise DependencyDown(sentence)
    raise HomeserverRefused(sentence, errcode=_errcode(body), http_status=status)


def _convert(body: bytes, form: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.MsgspecError as error:
        raise DependencyDown(f"the module in Synapse answered what we cannot read: {error}") from error


def _receipts(body: bytes) -> Transaction:
    transaction = Transaction([], [])
    for raw in _convert(body, _Receipts).receipts:
        receipt = Receipt(room_id=raw.room_id, event_id=raw.event_id, user_id=raw.user_id, ts=raw.ts)
        transaction.items.append((receipt_id(receipt, raw.receipt_type), receipt))
    return transaction


def _errcode(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refusal).errcode
    except msgspec.MsgspecError:
        return "M_UNKNOWN"
