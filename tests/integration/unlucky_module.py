"""Our module as Synapse loads it in its tests: for some, reading the state fails as with a broken database."""

from bitnexus_synapse_module import BitnexusModule
from bitnexus_synapse_module.config import Settings
from bitnexus_synapse_module.reader import StateReader
from bitnexus_synapse_module.snapshot import Event, Room
from synapse.module_api import EventBase, ModuleApi, StateMap


class UnluckyReader(StateReader):
    """Fails for accounts and events that are marked as unlucky."""

    async def read_room_before(self, event: Event, state: StateMap[EventBase]) -> Room:
        """Fail for a marked event."""
        _fail_if(bad="test.unlucky" in event.content)
        return await super().read_room_before(event, state)

    async def read_room(self, room_id: str, user_id: str) -> Room:
        """Fail for a marked account."""
        _fail_if(bad=user_id.startswith("@u_unlucky"))
        return await super().read_room(room_id, user_id)


class UnluckyModule(BitnexusModule):
    """Our module, with that reader."""

    def __init__(self, config: Settings, api: ModuleApi) -> None:
        super().__init__(config, api)
        self._state = UnluckyReader(api, config.ours)


def _fail_if(*, bad: bool) -> None:
    if bad:
        raise RuntimeError("the state cannot be read")
