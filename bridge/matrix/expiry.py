"""Who may use nothing for now, as our module in Synapse is told."""

from collections.abc import Collection

import aiohttp

from bridge.errors import DependencyDown
from bridge.matrix.stream import PATH, check_answer
from bridge.model.ids import UserID
from bridge.telemetry import MATRIX_REQUESTS

_ACT = "module_expired"


class SynapseExpiry:
    """Tells the module, with the secret that it shares with us; implements the port ``Expiry``."""

    def __init__(self, session: aiohttp.ClientSession, address: str, module_secret: str) -> None:
        self._session = session
        self._url = f"{address.rstrip('/')}{PATH}/expired"
        self._headers = {"Authorization": f"Bearer {module_secret}"}

    async def put(self, *, expired: Collection[UserID], restored: Collection[UserID]) -> None:
        """Have accounts refused from now on, and others no longer."""
        body = {"expired": sorted(expired), "restored": sorted(restored)}
        try:
            async with self._session.put(self._url, json=body, headers=self._headers) as response:
                answer, status = await response.read(), response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            MATRIX_REQUESTS.labels(_ACT, "unanswered").inc()
            raise DependencyDown(f"Synapse does not answer (module, expired): {type(error).__name__}") from error
        check_answer("expired", status, answer)
