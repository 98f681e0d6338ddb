"""The module's settings: what is wrong is refused with a sentence that names it."""

import pytest
from bitnexus_synapse_module.config import SettingError, Settings, check_server, read_settings
from bitnexus_synapse_module.snapshot import Ours

WHOLE = {
    "creators": ["@bitnexus:s.example", "@bitnexus_keeper:s.example"],
    "bots": ["@bitnexus_relay:s.example"],
    "policy_url": "http://127.0.0.1:29301/_bitnexus/policy/",
    "secret": "correct-horse",
    "timeout_seconds": 1,
}


def test_whole_settings() -> None:
    assert read_settings(WHOLE) == Settings(
        ours=Ours(
            creators=frozenset({"@bitnexus:s.example", "@bitnexus_keeper:s.example"}),
            bots=frozenset({"@bitnexus_relay:s.example"}),
        ),
        policy_url="http://127.0.0.1:29301/_bitnexus/policy",
        secret="correct-horse",
        timeout_seconds=1.0,
    )


def test_bots_and_timeout_may_be_absent() -> None:
    settings = read_settings({key: WHOLE[key] for key in ("creators", "policy_url", "secret")})
    assert settings.timeout_seconds == 2.0
    assert not settings.ours.bots


WRONG = [
    ({"policy": "x"}, "unknown setting 'policy'"),
    ({7: "x"}, "unknown setting '7'"),
    ({"creators": []}, "setting 'creators' is missing"),
    ({"secret": ""}, "setting 'secret' is missing"),
    ({"policy_url": None}, "setting 'policy_url' is missing"),
    ({"creators": "@bitnexus:s"}, "setting 'creators' must be a list"),
    ({"creators": ["bitnexus"]}, "no Matrix user id"),
    ({"creators": ["@Bitnexus:s"]}, "no Matrix user id"),
    ({"bots": [None]}, "setting 'bots' has None"),
    ({"bots": ["@bitnexus:s.example"]}, "'@bitnexus:s.example', which is a creator already"),
    ({"policy_url": "ftp://x/y"}, "must begin with http:// or https://"),
    ({"policy_url": "http:///y"}, "must begin with http:// or https:// and name a host"),
    ({"policy_url": "http://[x/y"}, "setting 'policy_url' is no URL"),
    ({"policy_url": "http://x:99999/y"}, "setting 'policy_url' is no URL"),
    ({"policy_url": "http://a:b@x/y"}, "no credentials, query or fragment"),
    ({"policy_url": "http://x/y?secret=1"}, "no credentials, query or fragment"),
    ({"policy_url": 5}, "setting 'policy_url' must be text"),
    ({"secret": 12345}, "setting 'secret' must be text"),
    ({"secret": "change-me"}, "placeholder"),
    ({"secret": "line\nbreak"}, "printable ASCII"),
    ({"secret": "sécret"}, "printable ASCII"),
    ({"timeout_seconds": 0}, "setting 'timeout_seconds'"),
    ({"timeout_seconds": True}, "setting 'timeout_seconds'"),
    ({"timeout_seconds": "2"}, "setting 'timeout_seconds'"),
    ({"timeout_seconds": 11}, "at most 10"),
    ({"timeout_seconds": float("nan")}, "setting 'timeout_seconds'"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_a_wrong_setting_is_named(change: dict[object, object], sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings({**WHOLE, **change})
    assert sentence in str(caught.value)
    # what is refused may be a secret in the wrong place
    assert "correct-horse" not in str(caught.value)


@pytest.mark.parametrize("raw", [None, [], "text"])
def test_settings_must_be_a_mapping(raw: object) -> None:
    with pytest.raises(SettingError, match="mapping"):
        read_settings(raw)


def test_accounts_of_another_server_are_refused() -> None:
    settings = read_settings(WHOLE)
    check_server(settings, "s.example")
    with pytest.raises(SettingError, match=r"not an account of this server, other\.example"):
        check_server(settings, "other.example")
