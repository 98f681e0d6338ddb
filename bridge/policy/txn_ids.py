"""Transaction ids: the same for every attempt of one send, and different for every sender and stage.

Synapse keys an application service's idempotency cache by path and service, not by user, so that two bots with one id
in one room would swallow each other's message.
"""

import hashlib

from bridge.model.event import OutboxItem
from bridge.model.ids import TxnID


def txn_id_of(item: OutboxItem, stage: str = "send") -> TxnID:
    """Return the transaction id of one stage of an outbox item."""
    name = "\0".join((item.nonce, str(item.outbox_id), item.sender, stage))
    return TxnID(hashlib.sha256(name.encode()).hexdigest()[:40])
