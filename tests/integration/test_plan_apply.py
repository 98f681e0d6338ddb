"""An operator with a file of tenants: plan, apply, watch, interrupt, go on; against a running bridge and Synapse."""

import asyncio
import json
import signal
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import CHECKOUT
from tests.support.backend import Backend, member_id
from tests.support.matrix_calls import config_of, metrics_url
from tests.support.waiting import until

SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    status: int
    output: str

    @property
    def hash(self) -> str:
        return self.output.split("Hash: ")[1].split()[0]


async def start(backend: Backend, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *map(str, arguments), "--config", str(config_of(backend))),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=CHECKOUT,
    )


async def run(backend: Backend, *arguments: object) -> Ran:
    process = await start(backend, *arguments)
    async with asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return Ran(status=process.returncode, output=output.decode())


@dataclass(slots=True, kw_only=True)
class File:
    """A file with one tenant of its own."""

    path: Path
    tenant_id: str
    rooms: int = 2

    def write(self, *, name: str = "Planned", rooms: int | None = None, **roles: str) -> None:
        listed = [
            {"key": f"room{n}", "type": "general", "name": f"Room {n}"}
            for n in range(self.rooms if rooms is None else rooms)
        ]
        members = [
            {"user_id": member_id(self.tenant_id, who), "role": role, "display_name": who.title()}
            for who, role in roles.items()
        ]
        tenant = {"tenant_id": self.tenant_id, "name": name, "rooms": listed, "members": members}
        self.path.write_text(json.dumps({"tenants": [tenant]}))  # JSON is YAML


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(path=tmp_path / "tenants.yaml", tenant_id=f"t{uuid.uuid4().hex[:12]}")


async def plan_as_json(backend: Backend, file: File) -> Mapping[str, Any]:
    ran = await run(backend, "plan", file.path, "--json")
    assert ran.status == 0, ran.output
    plan: Mapping[str, Any] = json.loads(ran.output)
    return plan


async def test_a_plan_shows_stores_nothing_and_tells_by_its_status(backend: Backend, file: File) -> None:
    file.write(ann="owner", ben="member")
    ran = await run(backend, "plan", file.path, "--detailed-exitcode")
    assert ran.status == 2, ran.output
    for line in ("+ room room0: Room 0", "+ room @space", "Plan: ", "Hash: "):
        assert line in ran.output
    assert "\x1b[" not in ran.output, "no colours where nobody sees them"
    assert (await backend.call("GET", f"/v1/tenants/{file.tenant_id}")).status == 404
    assert (await run(backend, "plan", file.path, "--detailed-exitcode")).output == ran.output


async def test_apply_brings_everything_about_and_the_second_time_nothing(backend: Backend, file: File) -> None:
    file.write(ann="owner", ben="member")
    applied = await run(backend, "apply", file.path, "--yes")
    assert applied.status == 0, applied.output
    assert "Done: everything stands as the file says." in applied.output
    ben = await backend.sign_in(member_id(file.tenant_id, "ben"))
    assert (await ben.rooms()).keys() == {"@space", "room0", "room1"}
    again = await run(backend, "apply", file.path, "--yes")
    assert (again.status, again.output) == (0, "Nothing to do: everything is as the file says.\n")
    assert (await run(backend, "plan", file.path, "--detailed-exitcode")).status == 0
    audit = await plan_as_json(backend, file)
    assert audit["is_empty"]


async def test_apply_does_the_plan_that_was_looked_at_or_nothing(backend: Backend, file: File) -> None:
    file.write(ann="owner")
    looked_at = await run(backend, "plan", file.path)
    file.write(ann="owner", ben="member")
    refused = await run(backend, "apply", file.path, "--plan", looked_at.hash)
    assert refused.status == 1
    assert "something has changed since" in refused.output
    assert (await backend.call("GET", f"/v1/tenants/{file.tenant_id}")).status == 404
    now = await run(backend, "plan", file.path)
    assert (await run(backend, "apply", file.path, "--plan", now.hash)).status == 0


async def test_without_anybody_to_ask_nothing_is_done(backend: Backend, file: File) -> None:
    file.write(ann="owner")
    ran = await run(backend, "apply", file.path)
    assert ran.status == 1
    assert "Nobody is there to ask" in ran.output
    assert (await backend.call("GET", f"/v1/tenants/{file.tenant_id}")).status == 404


async def test_a_list_that_would_take_out_many_needs_the_hash_whatever_else_is_said(
    backend: Backend, file: File
) -> None:
    people = {f"p{n}": "member" for n in range(9)}
    file.write(rooms=0, ann="owner", **people)
    assert (await run(backend, "apply", file.path, "--yes")).status == 0
    file.write(rooms=0, ann="owner", p0="member")
    refused = await run(backend, "apply", file.path, "--yes")
    assert refused.status == 1
    assert "a hash is needed" in refused.output
    applied = await run(backend, "apply", file.path, "--plan", refused.hash)
    assert applied.status == 0, applied.output
    left = await backend.ok("GET", f"/v1/tenants/{file.tenant_id}/members")
    assert {item["user_id"] for item in left["items"]} == {member_id(file.tenant_id, who) for who in ("ann", "p0")}


async def test_an_apply_that_is_interrupted_goes_on_and_the_same_again_sees_the_end(
    backend: Backend, file: File
) -> None:
    file.rooms = 6
    file.write(ann="owner", **{f"p{n}": "member" for n in range(6)})
    process = await start(backend, "apply", file.path, "--yes")
    stored = f"/v1/tenants/{file.tenant_id}/members"
    await until(lambda: backend.call("GET", stored), lambda reply: reply.status == 200)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
    assert process.returncode in {130, 0}, output.decode()
    again = await run(backend, "apply", file.path, "--yes")
    assert again.status == 0, again.output
    ann = await backend.sign_in(member_id(file.tenant_id, "ann"))
    assert len(await ann.rooms()) == 7


async def test_verify_reads_every_room_of_a_tenant_and_says_so(backend: Backend, file: File) -> None:
    file.write(ann="owner", ben="member")
    assert (await run(backend, "apply", file.path, "--yes")).status == 0
    before = await calls_by_act(backend)
    verified = await run(backend, "verify", file.tenant_id)
    assert verified.status == 0, verified.output
    assert "Done: 1 tenants were read, and everything stands." in verified.output
    after = await calls_by_act(backend)
    assert after["room_state"] - before["room_state"] == 3, "one request a room, and nothing else"
    unknown = await run(backend, "verify", "nobody-has-this")
    assert (unknown.status, unknown.output) == (1, "bitnexus-chat: there is no such tenant\n")
    wrong = await run(backend, "verify", "NOT AN ID")
    assert wrong.status == 1
    assert "1 to 64 characters" in wrong.output


async def calls_by_act(backend: Backend) -> Mapping[str, float]:
    async with backend.http.get(metrics_url(backend)) as response:
        families = text_string_to_metric_families(await response.text())
        return {
            sample.labels["act"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == "bitnexus_matrix_requests_total" and sample.labels["outcome"] == "done"
        }


async def test_mistakes_in_the_file_are_named_with_their_place(backend: Backend, file: File) -> None:
    file.path.write_text("tenants:\n  - tenant_id: acme\n    name: Acme\n    rooms:\n      - {key: a, typ: general}\n")
    ran = await run(backend, "plan", file.path)
    assert ran.status == 1
    assert f"{file.path}, line 5: tenants[0].rooms[0].typ: " in ran.output
    assert "Traceback" not in ran.output
