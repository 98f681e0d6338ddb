"""The demo as a newcomer runs it: ready, stopped, killed and started again, with its data, and nothing left behind.

One demo, in a folder and on ports of its own, goes through its life in the order of the tests.
"""

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio

from bridge.demo.bridge_api import BridgeApi, HttpApi
from bridge.demo.credentials import keep_credentials
from bridge.demo.ports import Ports
from bridge.demo.remove import remove
from bridge.demo.roster import Entry, Roster, is_same, processes_in

ROOT = Path(__file__).parents[2]
FIRST_START_SECONDS = 240.0
SECOND_START_SECONDS = 60.0  # a bound for a busy machine; alone it takes six
STOP_SECONDS = 60.0
PARTS = {"postgres", "synapse", "model", "bridge", "host"}

pytestmark = pytest.mark.timeout(600)

Json = dict[str, Any]


def free_base() -> int:
    """Find seven free ports in a row, below those that the system hands out itself."""
    for base in range(21000, 32000, 10):
        try:
            for port in Ports.from_base(base).by_name().values():
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    pytest.fail("there are no seven free ports in a row")


@dataclass
class Demo:
    """A demo's folder and ports, and the commands that a person would type."""

    directory: Path
    base: int

    async def make(self, *words: str, seconds: float) -> tuple[int, str]:
        process = await self.begin("make", "-C", str(ROOT), *words)
        return await self.end(process, seconds=seconds)

    async def begin(self, *argv: str) -> asyncio.subprocess.Process:
        kept = {key: value for key, value in os.environ.items() if key not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
        return await asyncio.create_subprocess_exec(
            *argv,
            f"DEMO_DIR={self.directory}",
            f"DEMO_PORT_BASE={self.base}",
            env=kept,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    @staticmethod
    async def end(process: asyncio.subprocess.Process, *, seconds: float) -> tuple[int, str]:
        said, _ = await asyncio.wait_for(process.communicate(), seconds)
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def foreground(self) -> asyncio.subprocess.Process:
        """Start in the foreground and return once it says that it is ready."""
        process = await self.begin("make", "-C", str(ROOT), "demo")
        assert process.stdout is not None
        heard: list[str] = []
        async with asyncio.timeout(FIRST_START_SECONDS):
            while not any(line.startswith("Ready in") for line in heard):
                line = (await process.stdout.readline()).decode()
                assert line, "".join(heard)
                heard.append(line)
        await self.stack_file()
        return process

    async def stack_file(self) -> Json:
        """Return stack.json once the demo that says it is ready has written it."""
        path = self.directory / "stack.json"
        async with asyncio.timeout(STOP_SECONDS):
            while not path.exists():  # noqa: ASYNC110 - another process writes it, a moment after its last line
                await asyncio.sleep(0.01)
        found: Json = json.loads(path.read_text())
        return found

    def processes(self) -> dict[str, Entry]:
        """Return what the demo has written down of its processes."""
        return {
            **Roster(self.directory / "processes.json").entries(),
            **Roster(self.directory / "runner.json").entries(),
        }

    def assert_nothing_is_left(self, before: dict[str, Entry]) -> None:
        assert before
        assert [name for name, entry in before.items() if is_same(entry)] == []
        assert processes_in(self.directory) == []
        assert not (self.directory / "stack.json").exists()
        for port in Ports.from_base(self.base).by_name().values():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))


async def until_gone(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, gone.set)
    try:
        await asyncio.wait_for(gone.wait(), STOP_SECONDS)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


@pytest_asyncio.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo") / "data", free_base())
    yield demo
    await demo.make("demo-stop", seconds=STOP_SECONDS)
    remove(demo.directory)


async def call(method: str, url: str, *, token: str | None = None, body: Json | None = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, json=body) as response:
        return response.status, await response.json()


async def log_in(stack: Json, person: Json) -> str:
    """Sign in with the password, as Element does, and return the access token."""
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": person["matrix_id"]},
        "password": person["password"],
    }
    status, answer = await call("POST", f"{stack['synapse_url']}/_matrix/client/v3/login", body=body)
    assert status == 200, answer
    token: str = answer["access_token"]
    return token


async def rooms_of(stack: Json, person: Json) -> dict[tuple[str, str], Json]:
    """Return a person's rooms by tenant and key, each with its type, name, levels and what was said."""
    token = await log_in(stack, person)
    status, sync = await call("GET", f"{stack['synapse_url']}/_matrix/client/v3/sync?timeout=0", token=token)
    assert status == 200
    found = {}
    for room_id, room in sync["rooms"]["join"].items():
        events = room["state"]["events"] + room["timeline"]["events"]
        state = {(event["type"], event["state_key"]): event["content"] for event in events if "state_key" in event}
        mark = state["com.bitnexus.room", ""]
        found[mark["tenant_id"], mark["key"]] = {
            "room_id": room_id,
            "type": mark["type"],
            "name": state["m.room.name", ""]["name"],
            "users": state["m.room.power_levels", ""]["users"],
            "said": [event["content"]["body"] for event in events if event["type"] == "m.room.message"],
        }
    return found


def private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_make_demo_detached_returns_when_ready_and_says_how_to_reach_it(demo: Demo) -> None:
    status, said = await demo.make("demo", "DETACH=1", seconds=FIRST_START_SECONDS)
    assert status == 0, said
    stack = json.loads((demo.directory / "stack.json").read_text())
    assert set(stack) == {
        "bridge_url", "synapse_url", "server_name", "chat_url", "platform_key", "demo_issuer", "registration",
        "postgres_dsn", "tenants", "super_admins", "pids",
    }  # fmt: skip
    assert set(stack["demo_issuer"]) == {"iss", "aud", "alg", "secret"}
    assert set(stack["pids"]) == PARTS | {"demo"}
    assert private(demo.directory / "stack.json")
    for url in (stack["bridge_url"], stack["synapse_url"], stack["chat_url"]):
        assert url in said
    assert stack["registration"] == str(demo.directory / "registration.yaml")
    assert private(demo.directory / "registration.yaml")


async def test_its_addresses_answer(demo: Demo) -> None:
    stack = await demo.stack_file()
    async with aiohttp.ClientSession() as http:
        for url in (
            f"{stack['bridge_url']}/ready",
            f"{stack['bridge_url']}/docs",
            f"{stack['bridge_url']}/v1/openapi.json",
            f"{stack['synapse_url']}/_matrix/client/versions",
            stack["chat_url"],
            f"http://127.0.0.1:{demo.base + 2}/metrics",
        ):
            async with http.get(url) as response:
                assert response.status == 200, url


async def test_two_tenants_have_people_of_every_role_and_the_first_member_is_in_one(demo: Demo) -> None:
    stack = await demo.stack_file()
    tenants = {tenant["tenant_id"]: tenant for tenant in stack["tenants"]}
    assert set(tenants) == {"acme", "globex"}
    people = {tenant_id: {user["user_id"] for user in tenant["users"]} for tenant_id, tenant in tenants.items()}
    for tenant_id, tenant in tenants.items():
        assert {user["role"] for user in tenant["users"]} == {"owner", "admin", "moderator", "member", "guest"}
        first = next(user for user in tenant["users"] if user["role"] == "member")
        (other,) = set(tenants) - {tenant_id}
        assert first["user_id"] not in people[other]
        assert set(tenant["users"][0]) == {"user_id", "matrix_id", "password", "role"}
        status, standing = await call(
            "GET", f"{stack['bridge_url']}/v1/tenants/{tenant_id}/members", token=stack["platform_key"]
        )
        assert status == 200
        assert {(item["user_id"], item["matrix_id"], item["role"]) for item in standing["items"]} == {
            (user["user_id"], user["matrix_id"], user["role"]) for user in tenant["users"]
        }
    assert people["acme"] & people["globex"], "somebody belongs to both"
    assert len(stack["super_admins"]) == 2


async def test_a_member_signs_in_with_a_password_and_finds_general_and_an_ai_room(demo: Demo) -> None:
    stack = await demo.stack_file()
    acme = stack["tenants"][0]
    member = next(user for user in acme["users"] if user["role"] == "member")
    owner = next(user for user in acme["users"] if user["role"] == "owner")
    rooms = await rooms_of(stack, member)
    assert {tenant_id for tenant_id, _ in rooms} == {"acme"}
    by_key = {key: room for (_, key), room in rooms.items()}
    assert "General" in by_key["general"]["name"]
    assert by_key["announcements"]["type"] == "announcement"
    assert by_key["support"]["type"] == "support"
    assert "leadership" not in by_key, "it is by invitation"
    (assistant,) = [room for room in by_key.values() if room["type"] == "ai"]
    assert assistant["name"] == "NexusHub"
    assert by_key["general"]["users"][owner["matrix_id"]] == 100
    assert len(by_key["general"]["said"]) == 3
    assert "leadership" in {key for _, key in await rooms_of(stack, owner)}


async def test_a_person_opens_a_session_with_a_token_of_the_demos_issuer(demo: Demo) -> None:
    stack = await demo.stack_file()
    async with aiohttp.ClientSession() as http:
        bridge = BridgeApi(
            api=HttpApi(http=http, url=stack["bridge_url"]),
            credentials=keep_credentials(demo.directory / "credentials.json"),
        )
        for person in (*stack["tenants"][1]["users"], *stack["super_admins"]):
            session = await bridge.sign_in(person["user_id"])
            assert session.matrix_id == person["matrix_id"]
            await bridge.sign_out(session)
        token = bridge.person_token("kim")
    issuer = stack["demo_issuer"]
    assert jwt.decode(token, issuer["secret"], algorithms=[issuer["alg"]], audience=issuer["aud"], issuer=issuer["iss"])


async def test_the_host_pages_origin_may_call_the_api(demo: Demo) -> None:
    stack = await demo.stack_file()
    for tenant in stack["tenants"]:
        _, standing = await call(
            "GET", f"{stack['bridge_url']}/v1/tenants/{tenant['tenant_id']}", token=stack["platform_key"]
        )
        assert standing["settings"]["allowed_origins"] == [stack["chat_url"]]


async def test_a_second_demo_in_the_same_folder_is_refused(demo: Demo) -> None:
    status, said = await demo.make("demo", seconds=STOP_SECONDS)
    assert status != 0
    assert f"a demo runs already in {demo.directory}" in said
    assert (demo.directory / "stack.json").exists()


async def test_a_demo_on_taken_ports_names_the_port_and_what_to_set(demo: Demo, tmp_path: Path) -> None:
    status, said = await Demo(tmp_path / "other", demo.base).make("demo", seconds=STOP_SECONDS)
    assert status != 0
    assert f"port {demo.base}, for bridge," in said
    assert "DEMO_PORT_BASE" in said
    assert processes_in(tmp_path / "other") == []


async def test_a_part_that_is_killed_comes_back_by_itself(demo: Demo) -> None:
    before = await demo.stack_file()
    os.kill(before["pids"]["bridge"], signal.SIGKILL)
    async with asyncio.timeout(STOP_SECONDS):
        # the file is written by another process
        while (stack := await demo.stack_file())["pids"]["bridge"] == before["pids"]["bridge"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await call("GET", f"{stack['bridge_url']}/ready"))[0] == 200
    assert {**stack["pids"], "bridge": 0} == {**before["pids"], "bridge": 0}


async def test_make_demo_stop_leaves_no_process(demo: Demo) -> None:
    before = demo.processes()
    assert len(before) == len(PARTS) + 1
    status, said = await demo.make("demo-stop", seconds=STOP_SECONDS)
    assert status == 0, said
    demo.assert_nothing_is_left(before)


async def test_a_second_start_takes_up_the_same_data(demo: Demo) -> None:
    began = asyncio.get_running_loop().time()
    process = await demo.foreground()
    took = asyncio.get_running_loop().time() - began
    stack = await demo.stack_file()
    acme = stack["tenants"][0]
    rooms = await rooms_of(stack, acme["users"][0])
    assert len(rooms["acme", "general"]["said"]) == 3, "the same messages, once"
    assert len([key for _, key in rooms if key.startswith("ai_")]) == 1
    before = demo.processes()
    process.send_signal(signal.SIGTERM)
    await demo.end(process, seconds=STOP_SECONDS)
    demo.assert_nothing_is_left(before)
    assert took < SECOND_START_SECONDS


async def test_ctrl_c_stops_everything(demo: Demo) -> None:
    process = await demo.foreground()
    before = demo.processes()
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to make and to all that it runs in the foreground
    _, said = await demo.end(process, seconds=STOP_SECONDS)
    assert "Stopped; a second start takes up the same data." in said
    demo.assert_nothing_is_left(before)


async def test_a_demo_that_is_killed_with_kill_9_starts_again_with_its_data(demo: Demo) -> None:
    process = await demo.foreground()
    before = demo.processes()
    assert (demo.directory / "stack.json").exists()
    os.kill(before["demo"]["pid"], signal.SIGKILL)
    await demo.end(process, seconds=STOP_SECONDS)
    status, said = await demo.make("demo", "DETACH=1", seconds=FIRST_START_SECONDS)
    assert status == 0, said
    assert [name for name, entry in before.items() if is_same(entry)] == []
    stack = await demo.stack_file()
    rooms = await rooms_of(stack, stack["tenants"][1]["users"][0])
    assert len(rooms["globex", "general"]["said"]) == 2


async def test_everything_killed_at_once_is_cleaned_up_by_demo_stop(demo: Demo) -> None:
    before = demo.processes()
    os.kill(before["demo"]["pid"], signal.SIGKILL)
    await until_gone(before["demo"]["pid"])
    status, said = await demo.make("demo-stop", seconds=STOP_SECONDS)
    assert status == 0, said
    demo.assert_nothing_is_left(before)


async def test_a_start_that_is_interrupted_leaves_nothing_and_the_next_one_works(demo: Demo) -> None:
    process = await demo.begin("make", "-C", str(ROOT), "demo")
    assert process.stdout is not None
    async with asyncio.timeout(FIRST_START_SECONDS):
        while b"Synapse with our module: begun" not in await process.stdout.readline():
            assert process.returncode is None
    before = demo.processes()
    process.send_signal(signal.SIGTERM)
    await demo.end(process, seconds=STOP_SECONDS)
    demo.assert_nothing_is_left(before)
    process = await demo.foreground()
    process.send_signal(signal.SIGTERM)
    await demo.end(process, seconds=STOP_SECONDS)


def test_the_command_itself_says_what_it_takes() -> None:
    import subprocess

    shown = subprocess.run([sys.executable, "-m", "bridge", "demo", "--help"], capture_output=True, check=True)
    for word in (b"--dir", b"--port-base", b"--detach", b"--stop"):
        assert word in shown.stdout
