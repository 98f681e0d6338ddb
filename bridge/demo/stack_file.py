"""stack.json: how to reach a running demo and who is in it (contracts.md, section 5); and the same as a table."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bridge.demo.people import SUPER_ADMINS, TENANTS
from bridge.demo.seed_state import SeedState
from bridge.demo.settings import AUDIENCE, ISSUER
from bridge.demo.stack import Stack
from bridge.files import write_private


class StackPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to sign in as; the password is for Element."""

    user_id: str
    matrix_id: str
    password: str
    role: str


class StackTenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant and the people of the demo that are in it."""

    tenant_id: str
    integration_key: str
    users: list[StackPerson]


class StackIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """How tokens for ``POST /v1/sessions`` are signed here."""

    iss: str
    aud: str
    alg: str
    secret: str


class StackFile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    bridge_url: str
    synapse_url: str
    server_name: str
    chat_url: str
    platform_key: str
    demo_issuer: StackIssuer
    registration: str
    postgres_dsn: str
    tenants: list[StackTenant]
    super_admins: list[StackPerson]
    pids: Mapping[str, int]


def describe(stack: Stack, state: SeedState, *, chat_url: str, pids: Mapping[str, int]) -> StackFile:
    """Return what there is to say of a running demo."""
    return StackFile(
        bridge_url=stack.bridge.url,
        synapse_url=stack.synapse.url,
        server_name=stack.config.homeserver.server_name,
        chat_url=chat_url,
        platform_key=stack.credentials.platform_key,
        demo_issuer=StackIssuer(iss=ISSUER, aud=AUDIENCE, alg="HS256", secret=stack.credentials.issuer_secret),
        registration=str(stack.registration_path),
        postgres_dsn=stack.postgres_dsn,
        tenants=[
            StackTenant(
                tenant_id=tenant.tenant_id,
                integration_key=state.integration_keys[tenant.tenant_id],
                users=[_person(person.user_id, role.value, state) for person, role in tenant.people],
            )
            for tenant in TENANTS
        ],
        super_admins=[_person(person.user_id, "super_admin", state) for person in SUPER_ADMINS],
        pids=pids,
    )


def write_stack_file(path: Path, file: StackFile) -> None:
    """Write stack.json in one step, for its owner alone."""
    write_private(path, msgspec.json.format(msgspec.json.encode(file), indent=2).decode() + "\n")


def show(file: StackFile, console: Console, *, api_docs: str, metrics: str) -> None:
    """Print the addresses, and the people with their passwords for Element; fits a terminal of 80 columns."""
    console.print(_addresses(file, api_docs, metrics))
    console.print(_people(file))


def _addresses(file: StackFile, api_docs: str, metrics: str) -> Table:
    table = Table(title="BitNexus Chat is ready", title_justify="left", show_header=False)
    table.add_row("BitNexus (open this)", file.chat_url, style="bold")
    table.add_row("API", f"{file.bridge_url}/v1")
    table.add_row("API described", api_docs)
    table.add_row("Homeserver (for Element)", file.synapse_url)
    table.add_row("Metrics", metrics)
    return table


def _people(file: StackFile) -> Table:
    table = Table(title="People to sign in as", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("tenant", "person", "role", "user name for Element", "its password"):
        table.add_column(heading, no_wrap=True)
    groups = [(tenant.tenant_id, tenant.users) for tenant in file.tenants]
    for group, people in (*groups, ("BitNexus", file.super_admins)):
        for person in people:
            name = person.matrix_id.removeprefix("@").partition(":")[0]
            table.add_row(group, person.user_id, person.role, name, person.password)
        table.add_section()
    return table


def _person(user_id: str, role: str, state: SeedState) -> StackPerson:
    password = state.passwords[user_id]
    return StackPerson(user_id=user_id, matrix_id=state.matrix_ids[user_id], password=password, role=role)
