"""What the doctor says of the parts: the database and its roles, Synapse, our module in it, the bridge itself."""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus

from bridge.model.health import BotFacts, BridgeFacts, Finding, HomeserverAnswer, RoleFacts

_NEW_REGISTRATION = (
    "Write the registration anew with 'bitnexus-chat registration', let Synapse read it (app_service_config_files), "
    "and restart Synapse."
)


def judge_migrations(applied: Mapping[int, str], known: Mapping[int, str]) -> Finding:
    """Say whether the schema is this version's."""
    missing = sorted(set(known) - set(applied))
    foreign = sorted(set(applied) - set(known))
    if missing:
        return Finding(
            name="migrations",
            status="failing",
            sentence=f"The database is older than this version: {', '.join(known[number] for number in missing)} "
            "not applied.",
            remedy="Run 'bitnexus-chat migrate'.",
        )
    if foreign:
        return Finding(
            name="migrations",
            status="failing",
            sentence="The database is newer than this version: it has "
            f"{', '.join(applied[number] for number in foreign)}.",
            remedy="Install the version of BitNexus Chat that migrated it; there is no way back down.",
        )
    return Finding(
        name="migrations",
        status="ok",
        sentence=f"All {len(known)} migrations are applied.",
        figures={"applied": len(applied)},
    )


def judge_roles(roles: Sequence[RoleFacts]) -> Finding:
    """Say whether the database itself keeps tenants apart, whatever the program does."""
    wrong: list[str] = []
    for role in roles:
        wrong += [f"{role.name} is a superuser"] * role.is_superuser
        wrong += [f"{role.name} bypasses row-level security"] * role.bypasses_row_security
        wrong += [f"{role.name} owns tables"] * role.owns_tables
    exposed = sorted({table for role in roles for table in role.exposed})
    wrong += [f"table {table} does not force row-level security" for table in exposed]
    if len({role.name for role in roles}) < len(roles):
        wrong.append("database.url and database.system_url name the same role")
    if wrong:
        return Finding(
            name="roles",
            status="failing",
            sentence="The database would show one tenant to another.",
            remedy="Make the roles with deploy/postgres-init.sql, as its superuser, and let 'database.url' and "
            "'database.system_url' name bitnexus_app and bitnexus_system; tables are the migrations' to make.",
            details=tuple(wrong),
        )
    names = " and ".join(role.name for role in roles)
    return Finding(name="roles", status="ok", sentence=f"{names} cannot bypass row-level security.")


def judge_registration(answer: HomeserverAnswer, creator: str) -> Finding:
    """Say whether the homeserver takes our token, for our creator."""
    if answer.status == HTTPStatus.OK and answer.body.get("user_id") == creator:
        return Finding(name="registration", status="ok", sentence=f"Synapse knows us as {creator}.")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        sentence = "Synapse does not know our token: it has not read our registration, or another one."
    elif answer.status == HTTPStatus.FORBIDDEN:
        sentence = f"Synapse knows our token and not {creator} ({answer.error})."
        remedy = f"The bridge makes its bots when it starts: start it. If that does not help: {_NEW_REGISTRATION}"
        return Finding(name="registration", status="failing", sentence=sentence, remedy=remedy)
    elif answer.status == HTTPStatus.OK:
        sentence = f"Synapse takes us for {answer.body.get('user_id')}, not for {creator}: another server name?"
    else:
        sentence = f"Synapse answered {_said(answer)} when asked who we are."
    return Finding(name="registration", status="failing", sentence=sentence, remedy=_NEW_REGISTRATION)


def judge_bots(bots: Sequence[BotFacts], device: str) -> Finding:
    """Say whether every bot has its device: without one, Synapse forgets transaction ids when it dies."""
    lost = [bot.user_id for bot in bots if bot.devices is None or device not in bot.devices]
    if not lost:
        return Finding(name="bots", status="ok", sentence=f"Our {len(bots)} bots have their devices.")
    return Finding(
        name="bots",
        status="failing",
        sentence=f"{len(lost)} of our {len(bots)} bots lack the device {device}: what they send could come twice.",
        remedy="The bridge makes bots and devices when it starts: restart it. Never log a bot out.",
        details=tuple(lost),
    )


def judge_module(answer: HomeserverAnswer, fields: Collection[str]) -> Finding:
    """Say whether the module is in Synapse, with our secret and in a version that we can read."""
    if answer.status == HTTPStatus.OK and set(fields) <= set(answer.body):
        return Finding(name="module", status="ok", sentence="The module is loaded and answers us.")
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        sentence = "The module in Synapse has another secret than 'appservice.module_secret'."
        remedy = (
            "Write Synapse's settings anew with 'bitnexus-chat registration' and restart Synapse: both take the secret "
            "from this configuration then."
        )
    elif answer.status == HTTPStatus.NOT_FOUND:
        sentence = "Synapse has no module of ours, or an old one: tenants may not be kept apart in Matrix."
        remedy = (
            "Install synapse_module of this version into Synapse's environment, load the settings that 'bitnexus-chat "
            "registration' writes, and restart Synapse."
        )
    elif answer.status == HTTPStatus.OK:
        sentence = "The module in Synapse is of another version: its answer lacks what we read."
        remedy = "Install synapse_module of this version into Synapse's environment and restart Synapse."
    else:
        sentence = f"The module in Synapse answered {_said(answer)}."
        remedy = "Synapse's own log has the reason."
    return Finding(name="module", status="failing", sentence=sentence, remedy=remedy)


def judge_bridge(bridge: BridgeFacts) -> Finding:
    """Say whether the bridge of this configuration runs."""
    figures = {"readiness": bridge.readiness}
    if bridge.readiness is None:
        return Finding(
            name="bridge",
            status="warning",
            sentence=f"The bridge does not run here: nobody answers at {bridge.address}.",
            remedy="Start it: 'systemctl start bitnexus-chat', or 'docker compose up --detach bridge'.",
            figures=figures,
        )
    if bridge.readiness == "ok":
        return Finding(name="bridge", status="ok", sentence="The bridge runs and is ready.", figures=figures)
    if bridge.readiness == "draining":
        return Finding(
            name="bridge",
            status="warning",
            sentence="The bridge runs and is being stopped: it ends what it has in hand.",
            remedy="Wait: it ends within worker.drain_seconds and a little.",
            figures=figures,
        )
    away = ", ".join(sorted(name for name, is_well in bridge.dependencies.items() if not is_well))
    return Finding(
        name="bridge",
        status="failing",
        sentence=f"The bridge runs and is not ready: {away or 'it does not say what'} is missing.",
        remedy="Look at the checks of that name. If they are well, look at the bridge's log.",
        figures=figures,
    )


def judge_ping(answer: HomeserverAnswer, *, address: str, is_running: bool) -> Finding:
    """Say whether the homeserver reaches us."""
    if answer.status == HTTPStatus.OK:
        return Finding(
            name="ping",
            status="ok",
            sentence=f"Synapse reaches the bridge at {address}.",
            figures={"duration_ms": answer.body.get("duration_ms")},
        )
    if not is_running:
        return Finding(
            name="ping",
            status="warning",
            sentence="Synapse does not reach the bridge, which does not run here.",
            remedy="Start the bridge, then look again.",
        )
    return Finding(
        name="ping",
        status="failing",
        sentence=f"Synapse does not reach the bridge at {address}: {_said(answer)}.",
        remedy="Messages do not arrive. Let 'appservice.address' be where Synapse's machine reaches "
        f"'appservice.listen', with nothing in between that changes headers. {_NEW_REGISTRATION}",
    )


def _said(answer: HomeserverAnswer) -> str:
    words = " ".join(word for word in (answer.errcode, answer.error) if word)
    return f"{answer.status} ({words})" if words else str(answer.status)
