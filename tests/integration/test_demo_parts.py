"""The demo's parts one by one: real PostgreSQL, real processes, Synapse's settings, what is refused at once."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio
from ruamel.yaml import YAML

from bridge.config import Config
from bridge.demo import checkout
from bridge.demo.accounts import everybody_may_enter
from bridge.demo.command import run_demo
from bridge.demo.command_line import run_command
from bridge.demo.credentials import Credentials, keep_credentials
from bridge.demo.errors import DemoError, demo_errors_joined
from bridge.demo.ports import Ports
from bridge.demo.postgres import SUPERUSER, Postgres
from bridge.demo.postgres_place import make_place, remove_orphans, remove_place
from bridge.demo.prepare import Part, Run, fingerprint, prepare
from bridge.demo.process import Process
from bridge.demo.progress import Step, Steps
from bridge.demo.room import require_ports, require_room
from bridge.demo.roster import Entry, Roster, command_line, end, is_same, start_time
from bridge.demo.settings import MODEL_NAME, write_config
from bridge.demo.stack import build_stack, running_stack
from bridge.files import write_private
from bridge.registration import registration, settings_text, synapse_settings, write_registration

DEADLINE_SECONDS = 30.0


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on; all are held until the last is found, so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    ports, credentials = Ports.of(list(range(30000, 30007))), Credentials()
    return write_config(tmp_path / "config.yaml", ports=ports, credentials=credentials, with_model=True)


def postgres_in(folder: Path) -> Postgres:
    return Postgres(
        directory=folder,
        log=folder / "postgres.log",
        port=free_ports(1)[0],
        passwords=Credentials().postgres_passwords(),
        roster=Roster(folder / "processes.json"),
    )


@pytest_asyncio.fixture(scope="module")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """Give a running PostgreSQL; whoever stops it starts it again."""
    await prepare(["demo"], Steps())
    folder = tmp_path_factory.mktemp("postgres")
    server = postgres_in(folder)
    await server.start()
    yield server
    await server.stop()
    remove_place(folder)


async def ask(dsn: str, question: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def sleeper(folder: Path, *, name: str = "sleeper", program: str = "import signal; signal.pause()") -> Process:
    process = Process(
        name=name,
        argv=(sys.executable, "-c", program),
        log=folder / f"{name}.log",
        cwd=folder,
        roster=Roster(folder / "processes.json"),
    )
    await process.start()
    return process


# PostgreSQL


async def test_postgres_has_the_databases_and_roles_and_is_durable(postgres: Postgres) -> None:
    collations = await ask(
        postgres.dsn(SUPERUSER),
        "SELECT array_agg(datname || ' ' || datcollate || ' ' || datdba::regrole ORDER BY datname) FROM pg_database "
        "WHERE datname IN ('bitnexus', 'synapse')",
    )
    assert collations == ["bitnexus C bitnexus_owner", "synapse C synapse"]
    for role in ("bitnexus_owner", "bitnexus_app", "bitnexus_system"):
        assert await ask(postgres.dsn(role), "SELECT current_user") == role
    powers = (
        "SELECT bool_or(rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb) FROM pg_roles WHERE rolname IN {}"
    )
    ours = "('bitnexus_owner', 'bitnexus_app', 'bitnexus_system', 'synapse')"
    assert await ask(postgres.dsn(SUPERUSER), powers.format(ours)) is False
    assert await ask(postgres.dsn(SUPERUSER), "SHOW fsync") == "on"
    assert await ask(postgres.dsn(SUPERUSER), "SHOW listen_addresses") == "127.0.0.1"


async def test_roles_reach_their_own_database_only(postgres: Postgres) -> None:
    for role, foreign in (("bitnexus_app", "synapse"), ("bitnexus_system", "synapse"), ("synapse", "bitnexus")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(postgres.dsn(role, foreign), "SELECT 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(postgres.dsn("bitnexus_app"), "CREATE TABLE mine (id int)")


async def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(f"postgresql://bitnexus_app:wrong@127.0.0.1:{postgres.port}/bitnexus", "SELECT 1")


async def test_postgres_keeps_committed_rows_through_kill_9_and_a_stale_pid_file(postgres: Postgres) -> None:
    owner = postgres.dsn("bitnexus_owner")
    await ask(owner, "CREATE TABLE kept (word text)")
    await ask(owner, "INSERT INTO kept VALUES ('still here')")
    await postgres.process.kill()
    assert not postgres.process.is_running
    place = make_place(postgres.directory, postgres._account)
    pid_file = place.data / "postmaster.pid"
    assert pid_file.exists(), "kill -9 leaves the pid file"
    # the pid lives again, as somebody else's process: ours
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    await postgres.start()
    assert await ask(owner, "SELECT word FROM kept") == "still here"
    await postgres.stop()
    await postgres.start()
    assert await ask(owner, "SELECT word FROM kept") == "still here"


async def test_a_cluster_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    await prepare(["demo"], Steps())
    server = postgres_in(tmp_path)
    place = make_place(tmp_path, server._account)
    (place.home / "half").mkdir()
    (place.home / "half" / "PG_VERSION").write_text("18\n")
    try:
        await server.start()
        assert await ask(server.dsn("bitnexus_app"), "SELECT 1") == 1
    finally:
        await server.stop()
        remove_place(tmp_path)


async def test_postgres_init_names_every_password_that_is_missing(postgres: Postgres) -> None:
    place = make_place(postgres.directory, postgres._account)
    process = await asyncio.create_subprocess_exec(
        place.program("psql"), "--no-psqlrc", "--file", str(checkout.POSTGRES_INIT), postgres.dsn(SUPERUSER),
        env={"BITNEXUS_APP_PASSWORD": "x", "SYNAPSE_PASSWORD": "x", "LC_ALL": "C"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 3
    assert b"BITNEXUS_OWNER_PASSWORD, BITNEXUS_SYSTEM_PASSWORD" in said


async def test_no_password_is_in_the_servers_log(postgres: Postgres) -> None:
    await ask(postgres.dsn(SUPERUSER, "postgres"), "SELECT pg_reload_conf()")
    log = postgres.log.read_text()
    assert log
    assert not [role for role, password in postgres.passwords.items() if password in log]


async def test_a_closed_folder_moves_roots_data_outside_and_clean_removes_it(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stack = build_stack(closed / "demo", Ports.of(free_ports(7)), with_model=False)
    assert not everybody_may_enter(stack.directory)
    place = make_place(stack.directory, stack.postgres._account)
    if os.geteuid() != 0:  # who is not root runs PostgreSQL as themselves, and keeps its data where the demo is
        assert place.home.is_relative_to(stack.directory)
        return
    assert everybody_may_enter(place.home.parent)
    assert not str(place.home).startswith(str(tmp_path))
    assert mode(place.home) == 0o700
    assert make_place(stack.directory, stack.postgres._account) == place, "the same again"
    remove_orphans()
    assert place.home.exists(), "its demo stands"
    remove_place(stack.directory)
    assert not place.home.parent.exists()
    again = make_place(stack.directory, stack.postgres._account)
    shutil.rmtree(stack.directory)
    remove_orphans()
    assert not again.home.parent.exists(), "its demo was taken away by hand"


# Processes


async def test_a_process_is_tied_to_its_parent_and_ends_when_that_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "pid"
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", _PARENT, str(tmp_path), str(ready), stdout=-1)
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), DEADLINE_SECONDS))
    descriptor, gone = os.pidfd_open(child), asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, gone.set)
    parent.kill()
    await asyncio.wait_for(gone.wait(), DEADLINE_SECONDS)
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)
    await parent.wait()


_PARENT = """
import asyncio, sys
from pathlib import Path
from bridge.demo.process import Process
from bridge.demo.roster import Roster

async def main(folder):
    child = Process(name="child", argv=(sys.executable, "-c", "import signal; signal.pause()"), log=folder / "log",
                    cwd=folder, roster=Roster(folder / "processes.json"))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_process_that_ignores_its_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    deaf = await sleeper(
        tmp_path,
        program="import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\nwhile 1: signal.pause()",
    )

    async def is_deaf() -> bool:
        return "deaf" in deaf.log.read_text()

    await deaf.ready(is_deaf, seconds=DEADLINE_SECONDS)
    await deaf.stop(grace_seconds=0.2)
    assert await deaf.wait() == -signal.SIGKILL
    assert Roster(tmp_path / "processes.json").entries() == {}


async def test_a_process_that_dies_instead_of_getting_ready_says_why(tmp_path: Path) -> None:
    process = await sleeper(tmp_path, name="broken", program="raise SystemExit('the reason')")

    async def never() -> bool:
        return False

    with pytest.raises(DemoError, match=r"broken ended with status 1 .*\n.*the reason"):
        await process.ready(never, seconds=DEADLINE_SECONDS)


async def test_a_process_that_is_never_ready_says_so_at_its_deadline(tmp_path: Path) -> None:
    process = await sleeper(tmp_path)

    async def never() -> bool:
        return False

    with pytest.raises(DemoError, match="was not ready after 0 seconds"):
        await process.ready(never, seconds=0.1)
    await process.stop()


async def test_leftovers_are_ended_by_pid_only_while_the_pid_is_theirs(tmp_path: Path) -> None:
    ours, other = await sleeper(tmp_path, name="ours"), await sleeper(tmp_path, name="other")
    roster = Roster(tmp_path / "processes.json")
    stale: Entry = {**roster.entries()["other"], "started": "1"}
    impostor: Entry = {**roster.entries()["other"], "argv": ["postgres"]}
    for entry in (stale, impostor):
        assert not is_same(entry)
        assert not await end(entry)
    assert other.is_running
    write_private(roster.path, msgspec.json.encode({"ours": roster.entries()["ours"], "other": stale}).decode())
    assert await roster.end_leftovers() == ["ours"]
    assert await ours.wait() == -signal.SIGTERM
    assert other.is_running
    await other.stop()


def test_identity_of_a_process_that_is_gone() -> None:
    assert start_time(2**22 + 1) is None
    assert command_line(2**22 + 1) == []
    assert start_time(os.getpid()) is not None


# The model


async def test_the_local_model_streams_an_answer_and_wants_its_key(tmp_path: Path) -> None:
    await prepare(["demo", "model"], Steps())
    model = build_stack(tmp_path / "demo", Ports.of(free_ports(7))).model
    await model.start()
    question = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 12, "stream": True}
    url = f"{model.base_url}/chat/completions"
    try:
        async with aiohttp.ClientSession() as http:
            async with http.post(url, json=question) as response:
                assert response.status == 401
            headers = {"Authorization": f"Bearer {model.credentials.model_key}"}
            async with http.post(url, json={**question, "model": MODEL_NAME}, headers=headers) as response:
                assert response.status == 200
                lines = [line.decode().strip() async for line in response.content]
    finally:
        await model.stop()
    words = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    pieces = [word["choices"][0]["delta"].get("content") for word in words]
    assert len([piece for piece in pieces if piece]) > 3, lines
    assert lines[-2:] == ["data: [DONE]", ""]
    assert await model.process.wait() == 0, "it ends by itself when asked to"
    assert model.credentials.model_key not in model.log.read_text()


# What is refused at the start


def test_a_taken_port_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(DemoError, match=rf"port {port}, for synapse, .* DEMO_PORT_BASE"):
            require_ports({"bridge": free_ports(1)[0], "synapse": port})


def test_a_disk_without_room_is_named_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=rf"{re.escape(str(tmp_path))} has .* GB free and 1000000.0 GB are needed"):
        require_room(tmp_path, 10**15)


async def test_a_stack_on_a_taken_port_starts_nothing(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        ports = Ports.of([*free_ports(6), holder.getsockname()[1]])
        with pytest.raises(DemoError, match="host_page"):
            async with running_stack(tmp_path / "demo", ports=ports, keep=False):
                pytest.fail("it started")
    assert Roster(tmp_path / "demo" / "processes.json").entries() == {}
    assert not list((tmp_path / "demo" / "logs").iterdir())


@pytest.mark.parametrize("base", [0, 80, 65530, 100000])
def test_a_port_base_outside_the_range_is_refused(base: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_demo(None, base, detach=False, stop=False) == 1
    assert "DEMO_PORT_BASE must be a number" in capsys.readouterr().out


def test_stopping_where_nothing_runs_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_demo(tmp_path / "none", 29300, detach=False, stop=True) == 0
    assert "No demo is running" in capsys.readouterr().out


def test_errors_of_parts_that_start_side_by_side_become_one() -> None:
    with pytest.raises(DemoError, match=r"^first\nsecond$"), demo_errors_joined():
        raise ExceptionGroup("", [DemoError("first"), ExceptionGroup("", [DemoError("second"), DemoError("first")])])
    with pytest.raises(ExceptionGroup), demo_errors_joined():
        raise ExceptionGroup("", [DemoError("first"), ValueError("a bug")])


# Secrets


def test_credentials_are_random_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    first = keep_credentials(path)
    assert mode(path) == 0o600
    assert keep_credentials(path) == first
    values = msgspec.to_builtins(first).values()
    assert len(set(values)) == len(list(values))
    assert all(len(value) >= 43 for value in values)
    assert keep_credentials(tmp_path / "other.json") != first


def test_credentials_that_cannot_be_read_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text("{")
    with pytest.raises(DemoError, match=re.escape(str(path))):
        keep_credentials(path)
    assert path.read_text() == "{"


def test_a_private_file_is_replaced_whole_and_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), mode(path), sorted(tmp_path.iterdir())) == ("new", 0o600, [path])


# Registration and Synapse's settings


def test_the_registration_keeps_humans_open_and_bots_exclusive(config: Config) -> None:
    wanted = registration(config)
    assert wanted["rate_limited"] is False
    assert wanted["receive_ephemeral"] is True
    assert "de.sorunome.msc2409.push_ephemeral" not in wanted
    assert (wanted["as_token"], wanted["hs_token"]) == (config.appservice.as_token, config.appservice.hs_token)
    assert wanted["url"] == config.appservice.address
    namespaces: Any = wanted["namespaces"]
    assert (namespaces["rooms"], namespaces["aliases"]) == ([], [])
    humans, bots = namespaces["users"]
    assert (humans["exclusive"], bots["exclusive"]) == (False, True)
    server = config.homeserver.server_name
    for localpart in ("bitnexus", "bitnexus_keeper", "bitnexus_relay", "bitnexus_nexushub"):
        assert re.fullmatch(bots["regex"], f"@{localpart}:{server}")
        assert not re.fullmatch(humans["regex"], f"@{localpart}:{server}")
    assert re.fullmatch(humans["regex"], f"@u_x1:{server}")
    for foreign in ("@bitnexus:evil", f"@bitnexus2:{server}", f"@u_x1:{server.replace('.', 'x')}"):
        assert not re.fullmatch(bots["regex"], foreign)
        assert not re.fullmatch(humans["regex"], foreign)


PRIVACY = {
    "require_auth_for_profile_requests": True,
    "limit_profile_requests_to_users_who_share_rooms": True,
    "include_profile_data_on_invite": False,
    "allow_public_rooms_without_auth": False,
    "allow_public_rooms_over_federation": False,
    "enable_room_list_search": False,
    "alias_creation_rules": [{"action": "deny"}],
    "room_list_publication_rules": [{"action": "deny"}],
    "federation_domain_whitelist": [],
    "enable_authenticated_media": True,
    "allow_guest_access": False,
    "enable_registration": False,
    "forget_rooms_on_leave": True,
    "url_preview_enabled": False,
    "auto_accept_invites": {"enabled": False},
    "default_room_version": "12",
    "rc_message": {"per_second": 10, "burst_count": 50},
}


@pytest.mark.parametrize("setting", PRIVACY)
def test_synapse_gets_every_setting_that_keeps_tenants_apart(config: Config, setting: str, tmp_path: Path) -> None:
    assert synapse_settings(config, registration_path=tmp_path / "r.yaml")[setting] == PRIVACY[setting]


def test_synapse_gets_the_module_the_registration_and_no_way_around_us(config: Config, tmp_path: Path) -> None:
    settings: Any = synapse_settings(config, registration_path=tmp_path / "r.yaml")
    server = config.homeserver.server_name
    (module,) = settings["modules"]
    assert module == {
        "module": "bitnexus_synapse_module.BitnexusModule",
        "config": {
            "creators": [f"@bitnexus:{server}", f"@bitnexus_keeper:{server}"],
            "bots": [f"@bitnexus_relay:{server}", f"@bitnexus_nexushub:{server}"],
            "policy_url": f"{config.appservice.address}/_bitnexus/policy",
            "secret": config.appservice.module_secret,
            "timeout_seconds": 2.0,
        },
    }
    assert settings["app_service_config_files"] == [str(tmp_path / "r.yaml")]
    assert settings["user_directory"]["search_all_users"] is False
    assert settings["extra_well_known_client_content"]["io.element.e2ee"]["force_disable"] is True
    assert "jwt_config" not in settings
    assert "listeners" not in settings


def test_the_embedded_synapse_listens_for_clients_on_this_machine_alone(tmp_path: Path) -> None:
    stack = build_stack(tmp_path / "demo", Ports.of(free_ports(7)), with_model=False)
    settings: Any = stack.synapse.settings()
    (listener,) = settings["listeners"]
    assert listener["bind_addresses"] == ["127.0.0.1"]
    assert [resource["names"] for resource in listener["resources"]] == [["client"]]
    assert settings["database"]["name"] == "psycopg2"
    assert "jwt_config" not in settings


def test_writing_the_registration_writes_two_private_files(config: Config, tmp_path: Path) -> None:
    for name in ("registration.yaml", "synapse.yaml"):
        (tmp_path / name).write_text("old")
    write_registration(config, tmp_path / "registration.yaml", tmp_path / "synapse.yaml")
    yaml = YAML(typ="safe", pure=True)
    assert yaml.load(tmp_path / "registration.yaml") == registration(config)
    settings = synapse_settings(config, registration_path=tmp_path / "registration.yaml")
    assert yaml.load(tmp_path / "synapse.yaml") == settings
    assert {mode(tmp_path / name) for name in ("registration.yaml", "synapse.yaml")} == {0o600}


def test_the_example_of_synapses_settings_is_what_the_code_writes() -> None:
    path = checkout.ROOT / "deploy" / "synapse" / "settings.example.yaml"
    example = YAML(typ="safe", pure=True).load(checkout.ROOT / "config.example.yaml")
    config = msgspec.convert(example, Config)
    wanted = settings_text(config, registration_path=Path("/etc/matrix-synapse/bitnexus-registration.yaml"))
    assert path.read_text(encoding="utf-8") == wanted, "write it anew: make examples"


async def test_a_real_synapse_takes_the_settings_and_shows_them_to_clients(tmp_path: Path) -> None:
    await prepare(["demo", "synapse"], Steps())
    ports = Ports.of(free_ports(7))
    async with (
        running_stack(tmp_path / "demo", ports=ports, with_model=False, with_bridge=False, keep=False) as stack,
        aiohttp.ClientSession(stack.synapse.url) as http,
    ):
        async with http.get("/.well-known/matrix/client") as response:
            known = await response.json()
        assert known["io.element.e2ee"]["force_disable"] is True
        assert known["m.homeserver"]["base_url"].rstrip("/") == stack.synapse.url
        async with http.get("/_matrix/client/v3/publicRooms") as response:
            assert response.status == 401
        async with http.get("/_matrix/client/v3/profile/@bitnexus:bitnexus.localhost") as response:
            assert response.status == 401
        async with http.get("/_matrix/federation/v1/version") as response:
            assert response.status == 404
        async with http.get("/_matrix/client/v3/login") as response:
            flows = {flow["type"] for flow in (await response.json())["flows"]}
        assert flows == {"m.login.password", "m.login.application_service"}
        async with http.post(
            "/_matrix/client/v3/register", json={"username": "stranger", "password": "x" * 20}
        ) as response:
            assert response.status == 403
    assert stack.roster.entries() == {}


# Preparing


async def no_steps(run: Run) -> None:
    raise AssertionError("nothing is to be made here")


def test_a_part_is_made_anew_when_what_it_is_made_from_changes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "file").write_text("one")
    part = Part(title="part", inputs=(source,), result=tmp_path / "result", make=no_steps)
    seen = {fingerprint(part)}
    assert {fingerprint(part)} == seen
    (source / "node_modules").mkdir()
    (source / "node_modules" / "installed").write_text("not an input")
    assert {fingerprint(part)} == seen
    for change in (
        lambda: (source / "inner" / "file").write_text("two"),
        lambda: (source / "inner" / "file").rename(source / "file"),
        lambda: (source / "another").write_text(""),
    ):
        change()
        assert fingerprint(part) not in seen
        seen.add(fingerprint(part))


async def test_a_failing_step_of_preparation_shows_its_last_words_and_its_log(tmp_path: Path) -> None:
    run = Run(name="part", step=Step("part"), log=tmp_path / "part.log")
    with pytest.raises(DemoError, match=r"preparing 'part' failed with status 3 .*\nthe reason\n.*part.log"):
        await run(sys.executable, "-c", "print('the reason'); raise SystemExit(3)")
    assert (tmp_path / "part.log").read_text() == "the reason\n"


async def test_a_cancelled_preparation_leaves_no_process(tmp_path: Path) -> None:
    begun = asyncio.Event()
    pids: list[int] = []

    def heard(line: str) -> None:
        pids.append(int(line))
        begun.set()

    program = "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    program += "print(c.pid, flush=True); c.wait()"
    argv = (sys.executable, "-c", program)
    task = asyncio.create_task(run_command(argv, cwd=tmp_path, path=None, log=tmp_path / "log", shown=heard))
    await asyncio.wait_for(begun.wait(), DEADLINE_SECONDS)
    descriptor, gone = os.pidfd_open(pids[0]), asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, gone.set)
    task.cancel()
    await asyncio.wait_for(gone.wait(), DEADLINE_SECONDS)
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)
    with pytest.raises(asyncio.CancelledError):
        await task
