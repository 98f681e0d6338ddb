"""Hold an alliance for a change: the side that speaks may, and the other side changes nothing meanwhile."""

from bridge.actions.hold_tenant import Administrator, find_administered
from bridge.actions.settle_alliance import record_steps
from bridge.errors import NotFound
from bridge.model.alliance import Alliance, AllianceStep, Step
from bridge.model.ids import AllianceID, TenantID
from bridge.model.tenant import Tenant
from bridge.ports import Act


def no_such_alliance() -> NotFound:
    """Return the one answer for an alliance that is not there and for one of other tenants."""
    return NotFound("there is no such alliance")


async def hold_speaker(act: Act, credential: Administrator) -> Tenant:
    """Lock and return the tenant that speaks.

    Raises NotFound where the asker does not belong, as for an absent alliance, and Forbidden where they may not.
    """
    await act.tenants.lock()
    try:
        tenant, _ = await find_administered(act, credential)
    except NotFound:
        raise no_such_alliance() from None
    return tenant


async def hold_alliance(act: Act, alliance_id: AllianceID) -> Alliance:
    """Hold and return an alliance of the transaction's tenant; raises NotFound."""
    alliance = await act.alliances.hold(alliance_id)
    if alliance is None:
        raise no_such_alliance()
    return alliance


async def take_step(act: Act, alliance: Alliance, step: Step, *, speaker: TenantID) -> None:
    """Record what the transaction's tenant did: at once for itself, and for the other side to be told."""
    await act.alliances.note_step(alliance, step)
    await record_steps(act, alliance, [AllianceStep(revision=alliance.revision, tenant_id=speaker, step=step)])
