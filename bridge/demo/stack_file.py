"""stack.json: how to reach a running demo and who is in it (contracts.md, section 5); and the same as a table."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
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
    """Print the addresses, and the people with their passwords for Element."""
    addresses = Table(title="BitNexus Chat is ready", title_justify="left", show_header=False)
    addresses.add_row("BitNexus (open this)", file.chat_url, style="bold")
    addresses.add_row("API", f"{file.bridge_url}/v1")
    addresses.add_row("API described", api_docs)
    addresses.add_row("Homeserver (for Element)", file.synapse_url)
    addresses.add_row("Metrics", metrics)
    console.print(addresses)
    people = Table(title="People to sign in as", title_justify="left")
    for heading in ("tenant", "person", "role", "Matrix id", "password for Element"):
        people.add_column(heading, no_wrap=True)
    for tenant in file.tenants:
        for person in tenant.users:
            people.add_row(tenant.tenant_id, person.user_id, person.role, person.matrix_id, person.password)
        people.add_section()
    for person in file.super_admins:
        people.add_row("(BitNexus)", person.user_id, person.role, person.matrix_id, person.password)
    console.print(people)


def _person(user_id: str, role: str, state: SeedState) -> StackPerson:
    password = state.passwords[user_id]
    return StackPerson(user_id=user_id, matrix_id=state.matrix_ids[user_id], password=password, role=role)
