"""Accept, suspend, resume or revoke an alliance, for one of its two tenants."""

from dataclasses import dataclass
from datetime import datetime

from bridge.actions.hold_alliance import hold_alliance, hold_speaker, take_step
from bridge.actions.hold_tenant import Administrator
from bridge.actions.watch_alliance import WatchAlliance
from bridge.errors import Conflict
from bridge.model.alliance import AllianceChange, Verb
from bridge.model.ids import AllianceID, TenantID
from bridge.model.tenant import TenantStatus
from bridge.policy.alliances import STEPS, revoke, say
from bridge.ports import Act, Clock, Database

_TAKES_AWAY: frozenset[Verb] = frozenset({"suspend", "revoke"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakOnAlliance:
    """Store what a side says, then have it in force: what takes away is sure to hold once that is answered."""

    database: Database
    watch: WatchAlliance
    clock: Clock

    async def __call__(
        self, alliance_id: AllianceID, tenant_id: TenantID, verb: Verb, *, credential: Administrator
    ) -> AllianceChange:
        """Return the alliance as it now is; said again nothing changes; raises NotFound, Forbidden or Conflict."""
        async with self.database.act(tenant_id, credential.actor) as act:
            tenant = await hold_speaker(act, credential)
            before = await hold_alliance(act, alliance_id)
            if verb not in _TAKES_AWAY and tenant.status is not TenantStatus.ACTIVE:
                raise Conflict("this tenant is not active")
            after = say(before, verb, tenant_id, now=self.clock.now())
            if after == before:
                act.nothing_changed()
            else:
                await act.alliances.save(after)
                await take_step(act, after, STEPS[verb], speaker=tenant_id)
        return await self.watch(after, asks=verb in _TAKES_AWAY)


async def end_alliances(act: Act, tenant_id: TenantID, *, now: datetime) -> None:
    """End every alliance of a tenant that goes for good."""
    for alliance_id in await act.alliances.open_ids():
        after = revoke(await hold_alliance(act, alliance_id), tenant_id, now=now)
        await act.alliances.save(after)
        await take_step(act, after, "ended", speaker=tenant_id)
