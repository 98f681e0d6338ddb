"""Settings: what is unknown, missing, wrong or left as it was in the example is refused by its name."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bridge.config import Config, load_config
from bridge.errors import ConfigError

WHOLE: dict[str, Any] = {
    "homeserver": {"address": "http://127.0.0.1:8008", "public_address": "https://m.example", "server_name": "example"},
    "appservice": {
        "address": "http://127.0.0.1:29301",
        "as_token": "as",
        "hs_token": "hs",
        "module_secret": "ms",
        "listen": {"port": 29301},
    },
    "http": {"listen": {"port": 29300}, "public_address": "https://chat.example"},
    "metrics": {"listen": {"port": 29302}},
    "database": {"url": "postgresql://app@db/b", "system_url": "postgresql://system@db/b"},
    "platform": {"key": "pk"},
}


def write(folder: Path, tree: object) -> Path:
    path = folder / "config.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(tree, file)
    return path


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the whole tree with one setting changed; ``...`` takes it away."""
    tree = _copy(WHOLE)
    *sections, key = path.split(".")
    node = tree
    for section in sections:
        node = node.setdefault(section, {})
    if value is ...:
        del node[key]
    else:
        node[key] = value
    return tree


def _copy(node: Any) -> Any:
    return {key: _copy(value) for key, value in node.items()} if isinstance(node, dict) else node


def load(folder: Path, tree: object, environment: dict[str, str] | None = None) -> Config:
    return load_config(write(folder, tree), environment or {})


def refused(folder: Path, tree: object, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load(folder, tree, environment)
    return error.value.sentence


def test_a_whole_configuration_and_its_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    assert config.appservice.listen.host == "127.0.0.1"
    assert (config.homeserver.room_version, config.sessions.allow_hs256, config.assistant.base_url) == (
        "12",
        False,
        None,
    )
    assert config.database.migration_url is None


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("homeserver.addres", "x", "'homeserver'"),
        ("homeservers", {}, "'top level'"),
        ("appservice.listen.prot", 1, "'appservice.listen'"),
        ("sessions.lifetime", 1, "'sessions'"),
    ],
)
def test_an_unknown_setting_is_named(tmp_path: Path, path: str, value: object, named: str) -> None:
    sentence = refused(tmp_path, changed(path, value))
    assert f"setting {named}" in sentence
    assert f"`{path.rpartition('.')[2]}`" in sentence
    assert str(tmp_path / "config.yaml") in sentence


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("homeserver", "'top level'"),
        ("platform.key", "'platform'"),
        ("appservice.listen.port", "'appservice.listen'"),
        ("database.system_url", "'database'"),
    ],
)
def test_a_missing_setting_is_named(tmp_path: Path, path: str, named: str) -> None:
    sentence = refused(tmp_path, changed(path, ...))
    assert f"setting {named}" in sentence
    assert f"`{path.rpartition('.')[2]}`" in sentence


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("http.listen.port", "many"),
        ("http.listen.port", [1]),
        ("homeserver.room_version", "1"),
        ("homeserver.server_name", ["a"]),
        ("logging.level", "loud"),
        ("worker.poll_seconds", "soon"),
        ("database.max_connections", 1.5),
        ("sessions.allow_hs256", "perhaps"),
        ("sessions.issuers", "everybody"),
        ("platform.key", {"a": 1}),
    ],
)
def test_a_setting_of_the_wrong_type_is_named(tmp_path: Path, path: str, value: object) -> None:
    assert f"setting '{path}'" in refused(tmp_path, changed(path, value))


@pytest.mark.parametrize(
    "path", ["platform.key", "appservice.as_token", "appservice.hs_token", "appservice.module_secret", "database.url"]
)
@pytest.mark.parametrize("value", ["change-me", "postgresql://u:change-me@h/d"])
def test_a_placeholder_of_the_example_is_refused(tmp_path: Path, path: str, value: str) -> None:
    sentence = refused(tmp_path, changed(path, value))
    assert f"setting '{path}'" in sentence
    assert "placeholder" in sentence


ISSUER = {"iss": "bitnexus", "aud": "bitnexus-chat", "alg": "HS256", "secret": "shared"}


def test_a_placeholder_inside_a_list_is_refused(tmp_path: Path) -> None:
    issuers = [{**ISSUER, "alg": "EdDSA"}, {**ISSUER, "alg": "EdDSA", "secret": "change-me"}]
    assert "'sessions.issuers[1].secret'" in refused(tmp_path, changed("sessions.issuers", issuers))


def test_a_shared_secret_signs_only_where_it_is_allowed(tmp_path: Path) -> None:
    assert "'sessions.issuers[0].alg'" in refused(tmp_path, changed("sessions", {"issuers": [ISSUER]}))
    allowed = load(tmp_path, changed("sessions", {"issuers": [ISSUER], "allow_hs256": True}))
    assert allowed.sessions.issuers[0].alg == "HS256"


@pytest.mark.parametrize("alg", ["none", "HS512", "RS512", "", "hs256"])
def test_no_other_algorithm_signs(tmp_path: Path, alg: str) -> None:
    tree = changed("sessions", {"issuers": [{**ISSUER, "alg": alg}], "allow_hs256": True})
    assert "'sessions.issuers[0].alg'" in refused(tmp_path, tree) or "'sessions.issuers[...].alg'" in refused(
        tmp_path, tree
    )


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("BITNEXUS_PLATFORM_KEY", "from-env", lambda c: c.platform.key == "from-env"),
        ("BITNEXUS_APPSERVICE_AS_TOKEN", "from-env", lambda c: c.appservice.as_token == "from-env"),
        ("BITNEXUS_HTTP_LISTEN__PORT", "8080", lambda c: c.http.listen.port == 8080),
        ("BITNEXUS_APPSERVICE_LISTEN__HOST", "0.0.0.0", lambda c: c.appservice.listen.host == "0.0.0.0"),  # noqa: S104
        ("BITNEXUS_WORKER_POLL_SECONDS", "0.5", lambda c: c.worker.poll_seconds == 0.5),
        ("BITNEXUS_SESSIONS_ALLOW_HS256", "true", lambda c: c.sessions.allow_hs256 is True),
        ("BITNEXUS_HOMESERVER_ROOM_VERSION", "11", lambda c: c.homeserver.room_version == "11"),
        ("BITNEXUS_UNRELATED", "x", lambda c: c.platform.key == "pk"),
        ("PLATFORM_KEY", "x", lambda c: c.platform.key == "pk"),
    ],
)
def test_the_environment_comes_before_the_file(tmp_path: Path, name: str, value: str, found: Any) -> None:
    assert found(load(tmp_path, WHOLE, {name: value}))


def test_the_environment_alone_will_do_for_a_section(tmp_path: Path) -> None:
    config = load(tmp_path, changed("platform", ...), {"BITNEXUS_PLATFORM_KEY": "from-env"})
    assert config.platform.key == "from-env"
    nested = load(tmp_path, changed("metrics", None), {"BITNEXUS_METRICS_LISTEN__PORT": "9000"})
    assert nested.metrics.listen.port == 9000


def test_the_environment_takes_a_placeholders_place(tmp_path: Path) -> None:
    assert load(tmp_path, changed("platform.key", "change-me"), {"BITNEXUS_PLATFORM_KEY": "own"}).platform.key == "own"


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        (changed("platform", "text"), "BITNEXUS_PLATFORM_KEY"),
        (changed("http", "text"), "BITNEXUS_HTTP_LISTEN__PORT"),
        (changed("http", [1]), "BITNEXUS_HTTP_LISTEN__PORT"),
        (changed("http.listen", 5), "BITNEXUS_HTTP_LISTEN__PORT"),
    ],
)
def test_a_variable_that_points_into_no_section_is_named(tmp_path: Path, tree: object, name: str) -> None:
    assert name in refused(tmp_path, tree, {name: "1"})


def test_an_unknown_setting_of_the_environment_is_refused_too(tmp_path: Path) -> None:
    assert "`kye`" in refused(tmp_path, WHOLE, {"BITNEXUS_PLATFORM_KYE": "x"})


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-file\n", encoding="utf-8")
    config = load(tmp_path, WHOLE, {"BITNEXUS_PLATFORM_KEY_FILE": str(secret)})
    assert config.platform.key == "from-file"


def test_a_secrets_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "absent", tmp_path):
        sentence = refused(tmp_path, WHOLE, {"BITNEXUS_PLATFORM_KEY_FILE": str(file)})
        assert "BITNEXUS_PLATFORM_KEY_FILE" in sentence
        assert str(file) in sentence


def test_a_secrets_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe\x00")
    assert "BITNEXUS_PLATFORM_KEY_FILE" in refused(tmp_path, WHOLE, {"BITNEXUS_PLATFORM_KEY_FILE": str(file)})


@pytest.mark.parametrize("tree", [[], "text", 5, None, [WHOLE]])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, tree: object) -> None:
    sentence = refused(tmp_path, tree)
    assert "mapping" in sentence
    assert "config.yaml" in sentence


@pytest.mark.parametrize(
    "text",
    [
        b"a: [",
        b"a: b: c",
        b"\tx: 1",
        b"a: 1\na: 2",
        b"!!python/object:os.system {}",
        b"a: &x [*x",
        b"\xff\xfe\xfa",
        b"a: \x00",
        b"1: 2",
    ],
)
def test_a_file_that_is_no_yaml_is_refused_in_words(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as error:
        load_config(path, {})
    assert "config.yaml" in error.value.sentence
    assert "\n" not in error.value.sentence


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.yaml: No such file"):
        load_config(tmp_path / "absent.yaml", {})


def test_a_refusal_never_shows_a_secret(tmp_path: Path) -> None:
    for path in ("platform.key", "appservice.as_token"):
        for value in ({"s3cr3t": "s3cr3t"}, ["s3cr3t"]):
            assert "s3cr3t" not in refused(tmp_path, changed(path, value))
