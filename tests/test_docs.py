"""The documentation is true: every name in it exists, every name that there is stands in it, every link leads."""

import re

import pytest
from openapi_spec_validator import validate
from ruamel.yaml import YAML

from bridge.api.openapi import openapi_document
from bridge.api.routes import ROUTES
from bridge.cli import run_command
from bridge.config import PLACEHOLDER, load_config
from bridge.errors import ConfigError
from tests.docs_examples import facts, settings_file, text
from tests.docs_examples.blocks import GUIDES, BadExample, Block, examples_of, pair
from tests.docs_examples.matching import Mismatch, match

ROOT = text.ROOT
REFERENCE = "docs/reference.md"
# made by a command, so not in a fresh clone
MADE = ("bench/results/", "web/dist", "web/node_modules", "deploy/secrets", "deploy/compose.env")
OPEN_ROUTES = {
    ("POST", "/v1/sessions"),  # the signed token in the body is the credential
    ("GET", "/v1/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/live"),
    ("GET", "/ready"),
    ("GET", "/chat/"),
}
_ROUTE = re.compile(r"\b(GET|PUT|POST|PATCH|DELETE) (\.{0,3}/[^\s`?|]*)")


# --- names in the text exist ----------------------------------------------------------------------------------------


def test_every_setting_that_is_named_exists() -> None:
    known = {path.replace("[]", "") for path, _ in facts.settings()}
    known |= {path.rpartition(".")[0] for path in known} | {"sessions.issuers"}
    sections = {path.partition(".")[0] for path in known}
    named = [said for said in text.code_in_sentences() if re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", said.text)]
    named = [said for said in named if said.text.partition(".")[0] in sections and not said.text.endswith(".yaml")]
    assert named
    assert [said for said in named if said.text not in known] == []


def test_every_variable_that_is_named_exists() -> None:
    known = {facts.variable_of(path) for path, _ in facts.settings()}
    known |= {f"{name}_FILE" for name in known}
    known |= set(re.findall(r"BITNEXUS_[A-Z_]+", (ROOT / "deploy/postgres-init.sql").read_text(encoding="utf-8")))
    named = [
        (said.where, name) for said in text.everything() for name in re.findall(r"BITNEXUS_[A-Z_]+[A-Z]", said.text)
    ]
    assert named
    assert [(where, name) for where, name in named if name not in known] == []


def test_every_route_that_is_named_exists() -> None:
    known = {*facts.main_routes(), *facts.synapse_routes(), ("GET", "/metrics")}
    shapes = {(method, re.sub(r"{\w+}", "{}", path)) for method, path in known}
    named = [(said, *found) for said in text.code_in_sentences() for found in _ROUTE.findall(said.text)]
    unknown = [
        (said.where, method, path)
        for said, method, path in named
        if not any(method == m and _is_path(re.sub(r"{\w+}", "{}", path), shape) for m, shape in shapes)
    ]
    assert named
    assert unknown == []


def _is_path(named: str, shape: str) -> bool:
    return shape.endswith(named.removeprefix("...")) if named.startswith("...") else named == shape


def test_every_errcode_that_is_named_exists() -> None:
    named = [(said.where, code) for said in text.everything() for code in re.findall(r"\bM_[A-Z_]+[A-Z]\b", said.text)]
    assert named
    assert [(where, code) for where, code in named if code not in facts.errcodes()] == []


def test_every_metric_that_is_named_exists() -> None:
    pattern = (
        r"\bbitnexus_(?:(?:http|matrix|inbox|outbox|lane|lanes|module|items|oldest|dead|quarantined|stray|gap|bell|figures)_"
        r"\w+|draining\b)"
    )
    named = [(said.where, name) for said in text.everything() for name in re.findall(pattern, said.text)]
    assert named
    # a histogram is asked for by its series
    named = [(where, re.sub(r"_(?:bucket|count|sum)$", "", name)) for where, name in named]
    assert [(where, name) for where, name in named if name not in facts.metrics()] == []


def test_every_command_and_option_that_is_named_exists() -> None:
    commands = facts.commands()
    calls = [
        (said.where, *found)
        for said in text.everything()
        for found in re.findall(r"(?:(?<!<)bitnexus-chat|python -m bridge) ([a-z]+)\b([^`]*)", said.text)
    ]
    assert calls
    assert [(where, command) for where, command, _ in calls if command not in commands] == []
    for where, command, rest in calls:
        unknown = set(re.findall(r"(--[a-z][a-z-]*)", rest)) - commands[command] - {"--help"}
        assert not unknown, (where, command, unknown)


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    targets |= {name for line in re.findall(r"^([a-z0-9 -]+):", makefile, re.MULTILINE) for name in line.split()}
    named = [(said.where, name) for said in text.everything() for name in _targets(said.text)]
    assert named
    assert [(where, name) for where, name in named if name not in targets] == []


def _targets(line: str) -> list[str]:
    return re.findall(r"(?:`|^\s*\$ )make ([a-z][a-z0-9-]*)", line)


def test_every_path_that_is_named_exists() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in text.committed_files()}
    named = [said for said in text.code_in_sentences() if re.fullmatch(r"[\w.-]+(/[\w.@-]*)+(::\w+)?", said.text)]
    ours = [said for said in named if said.text.partition("/")[0] in top and not said.text.startswith(MADE)]
    assert ours
    assert [said for said in ours if not _exists(said.text)] == []


def _exists(name: str) -> bool:
    path, _, function = name.partition("::")
    file = ROOT / path
    return file.exists() and (not function or f"def {function}(" in file.read_text(encoding="utf-8"))


def test_every_link_leads_somewhere() -> None:
    inside = [(path, said) for path, said in text.links() if not re.match(r"https?://|mailto:", said.text)]
    assert inside
    for path, said in inside:
        name, _, anchor = said.text.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), said
        if anchor:
            assert anchor in text.anchors(target), said


# --- what there is stands in the text -------------------------------------------------------------------------------


def test_the_reference_has_every_route_with_its_credentials() -> None:
    rows = text.table_rows(REFERENCE, "Routes of the main listener")
    listed = {_route_in(row[0]): _kinds_in(row[1]) for row in rows}
    assert len(listed) == len(rows)
    assert listed == facts.main_routes()
    rows = text.table_rows(REFERENCE, "Routes of the listener for Synapse")
    assert {_route_in(row[0]) for row in rows} == facts.synapse_routes()


def _route_in(cell: str) -> tuple[str, str]:
    method, path = cell.strip("`").split(" ")
    return method, path


def _kinds_in(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"\b(platform|integration|session)\b", cell))


def test_row_3_only_these_routes_ask_for_no_credential() -> None:
    assert {route for route, kinds in facts.main_routes().items() if not kinds} == OPEN_ROUTES


def test_row_20_secrets_are_in_two_answers_alone() -> None:
    schemas = openapi_document(ROUTES)["components"]["schemas"]
    bodies = {"SessionBody"}
    secret = {name for name, schema in schemas.items() if _secrets_of(schema.get("properties", {}))}
    assert secret - bodies == {"IntegrationKeySecret", "SessionAnswer"}


def _secrets_of(properties: dict[str, object]) -> set[str]:
    # a room's key is its name
    return {name for name in properties if re.search(r"token|secret|password", name)} | (
        {"key"} & set(properties) if "key_id" in properties else set()
    )


def test_the_reference_has_every_errcode() -> None:
    listed = {code for row in text.table_rows(REFERENCE, "Errors") for code in re.findall(r"M_[A-Z_]+", row[1])}
    assert listed == facts.errcodes()


def test_the_reference_has_every_reason_of_an_explanation() -> None:
    listed = {code for row in text.table_rows(REFERENCE, "Reasons") for code in re.findall(r"`(\w+)`", row[0])}
    assert listed == facts.reasons()


def test_the_reference_has_every_metric() -> None:
    assert {row[0].strip("`") for row in text.table_rows(REFERENCE, "Metrics")} == facts.metrics()


def test_the_reference_has_every_command_with_its_options() -> None:
    rows = text.table_rows(REFERENCE, "Commands")
    listed = {row[0].strip("`").removeprefix("bitnexus-chat "): set(re.findall(r"--[a-z-]+", row[1])) for row in rows}
    assert listed == facts.commands()


def test_the_openapi_document_is_the_present_one_and_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["openapi"]) == 0
    made = capsys.readouterr().out
    standing = (ROOT / "docs/openapi.yaml").read_text(encoding="utf-8")
    assert standing == made, "run: .venv/bin/python -m bridge openapi > docs/openapi.yaml"
    validate(YAML(typ="safe", pure=True).load(standing))


# --- the example of the settings ------------------------------------------------------------------------------------


def test_the_example_has_every_setting_and_no_other() -> None:
    assert set(settings_file.all_on()) == {path for path, _ in facts.settings()}


def test_settings_in_comments_stand_at_their_defaults() -> None:
    defaults, standing = dict(facts.settings()), settings_file.standing()
    commented = {path: value for path, value in settings_file.all_on().items() if path not in standing}
    commented = {path: value for path, value in commented.items() if not path.startswith("sessions.issuers")}
    assert commented
    assert commented == {path: settings_file.as_written(defaults[path]) for path in commented}


def test_every_setting_is_explained_with_its_own_variable() -> None:
    paths = [path for path, _ in facts.settings() if not path.startswith("sessions.issuers")]
    named = settings_file.variables_in_comments()
    assert sorted(named) == sorted((facts.variable_of(path), path.rpartition(".")[2]) for path in paths)


def test_the_example_is_refused_as_it_is_and_taken_once_each_placeholder_has_a_value() -> None:
    values = settings_file.placeholders()
    assert len(values) > 5
    for missing in values:
        rest = {name: value for name, value in values.items() if name != missing}
        with pytest.raises(ConfigError, match="placeholder") as refusal:
            load_config(settings_file.EXAMPLE, rest)
        named = re.findall(r"setting '([a-z_.]+)'", refusal.value.sentence)
        assert [facts.variable_of(path) for path in named] == [missing]
    config = load_config(settings_file.EXAMPLE, values)
    assert PLACEHOLDER not in repr(config)


# --- examples -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guide", GUIDES)
def test_examples_follow_the_convention_and_ask_for_routes_that_exist(guide: str) -> None:
    patterns = [
        (method, re.compile(re.sub(r"{\w+}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))))
        for method, path in facts.main_routes()
    ]
    examples = examples_of(guide)
    assert examples
    for example in examples:
        path = example.address.partition("?")[0]
        if path.startswith("$synapse_url"):
            continue
        methods = {method for method, pattern in patterns if pattern.fullmatch(path)}
        assert methods, example.where
        assert example.method in methods | {"OPTIONS"}, example.where


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {"a": 0}),
        ({"a": "x..."}, {"a": "y"}),
        ({"a": "$known"}, {"a": "other"}),
        ({"a": []}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [1]}),
        ({"a": [1, "..."]}, {"a": [2, 3]}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}),
    ],
    ids=str,
)
def test_an_answer_that_differs_is_noticed(shown: object, real: object) -> None:
    with pytest.raises(Mismatch):
        match(shown, real, {"known": "value"})


def test_an_answer_that_has_more_than_is_shown_matches_and_names_are_kept() -> None:
    names = {"known": "value"}
    shown = {"a": "...", "b": "$new", "c": "is $known", "d": [1, "..."], "e": "bxi_...", "f": None}
    match(shown, {"a": [], "b": "kept", "c": "is value", "d": [1, 2, 3], "e": "bxi_9", "f": None, "g": 0}, names)
    assert names == {"known": "value", "new": "kept"}


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["GET /live\n"], "no answer"),
        (["HTTP/1.1 200\n"], "must be followed"),
        (["GET /live\n", "GET /live\n"], "must be followed"),
        (["get /live\n", "HTTP/1.1 200\n"], "no method"),
        (["GET /live\n", "HTTP/1.1 OK\n"], "no status line"),
        (["GET /live\n{}\n", "HTTP/1.1 200\n"], "no header"),
    ],
)
def test_a_bad_example_is_noticed(texts: list[str], sentence: str) -> None:
    with pytest.raises(BadExample, match=sentence):
        pair([Block(where="here", kind="http", text=each, before="") for each in texts])


# --- nothing of a machine in it -------------------------------------------------------------------------------------


def test_no_file_names_a_place_of_one_machine() -> None:
    words = ("/" + "work/", "/" + "root/", "--" + "index-url", '"resol' + 'ved":')
    found = [
        (text.name_of(path), word)
        for path in text.committed_files()
        for word in words
        if word.encode() in path.read_bytes()
    ]
    assert found == []
