"""Who may use anything: an active person with an active tenant, or BitNexus staff."""

from bridge.model.standing import Standing, Verdict


def is_welcome(*, is_active: bool, is_super_admin: bool, has_active_tenant: bool) -> bool:
    """Say whether a person may sign in and use the sessions that they have."""
    return is_active and (is_super_admin or has_active_tenant)


def judge(standing: Standing, *, is_inside_suspended: bool) -> Verdict:
    """Say what our module is to be told; ``is_inside_suspended`` tells whether a suspended tenant still holds them.

    People of a suspended tenant alone stay in its rooms and are expired. Once they may use something again, by whatever
    other tenant, they first leave those rooms: or they would read them. Who was not expired is let be: a reconcile is
    taking them out.
    """
    may_use = is_welcome(
        is_active=standing.is_active,
        is_super_admin=standing.is_super_admin,
        has_active_tenant=standing.has_active_tenant,
    )
    if not may_use:
        return Verdict.EXPIRE
    return Verdict.HOLD if standing.is_expired and is_inside_suspended else Verdict.RESTORE
