"""The table of settings: what each may be, and which of flag, environment, file and default counts."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from firefly.address import format_address, parse_address
from node.configuration.errors import BadConfiguration
from node.configuration.settings import (
    AT_ONCE,
    AT_RESTART,
    INVITE_LIFETIME,
    LISTEN,
    LOG_LEVEL,
    PROGRAM_LIMIT,
    SETTINGS,
    Effective,
    effective,
    find,
    given,
)

ADDRESS = format_address(bytes(range(16)))


def test_a_flag_stands_above_the_environment_that_above_the_file_and_that_above_the_default() -> None:
    environment = {"GLOW_LISTEN": "tcp://127.0.0.1:2", "GLOW_LOG_LEVEL": "info", "GLOW_HOME": "/x", "GLOW_OTHER": "x"}
    above = given({"listen": ("memory:flag",)}, environment)
    values = {"listen": ("tcp://127.0.0.1:3",), "log.level": "debug", "programs.limit": 99}
    assert effective(LISTEN, above, values) == Effective(("memory:flag",), "--listen")
    assert effective(LOG_LEVEL, above, values) == Effective("info", "GLOW_LOG_LEVEL")
    assert effective(PROGRAM_LIMIT, above, values) == Effective(99, "file")
    assert effective(INVITE_LIFETIME, above, values) == Effective(86400.0, "default")
    above = given({"listen": None}, environment)
    assert effective(LISTEN, above, values) == Effective(("tcp://127.0.0.1:2",), "GLOW_LISTEN")


def test_an_empty_variable_is_none() -> None:
    assert given({}, {"GLOW_LOG_LEVEL": ""}) == {}


def test_a_variable_that_does_not_fit_is_a_typed_error() -> None:
    with pytest.raises(BadConfiguration) as caught:
        given({}, {"GLOW_LOG_LEVEL": "loud"})
    assert caught.value.message == "GLOW_LOG_LEVEL=loud cannot be used"
    assert "one of error, warning" in caught.value.cause
    assert caught.value.hint == "glow config explain log.level"


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.key)
def test_every_setting_is_complete(setting: Any) -> None:
    assert setting.applies in (AT_ONCE, AT_RESTART)
    assert setting.meaning
    literal = setting.literal(setting.default)
    assert tomllib.loads(f"x = {literal}")["x"] == json.loads(literal)
    assert setting.check(json.loads(literal)) == setting.typed(literal) == setting.default


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("log.level", "debug", "debug"),
        ("log.level", '"debug"', "debug"),
        ("invite.lifetime", "2h", 7200.0),
        ("invite.lifetime", "90", 90.0),
        ("invite.lifetime", "1.5", 1.5),
        ("programs.limit", "0x100", 256),
        ("listen", "tcp://[::]:4747", ("tcp://[::]:4747",)),
        ("listen", "none", ()),
        ("listen", "[]", ()),
        ("listen", "tcp://a:1, tcp://b:2", ("tcp://a:1", "tcp://b:2")),
        ("listen", '["tcp://a:1","tcp://b:2"]', ("tcp://a:1", "tcp://b:2")),
        ("hub.uses", "none", ()),
        ("hub.uses", ADDRESS, (parse_address(ADDRESS),)),
        ("hub.uses", f"{ADDRESS}, {ADDRESS}", (parse_address(ADDRESS),) * 2),
        ("hub.granted", f"{ADDRESS} {ADDRESS}", (parse_address(ADDRESS),) * 2),
        ("hub.admits", "granted", "granted"),
    ],
)
def test_what_a_person_types(key: str, text: str, value: object) -> None:
    assert find(key).typed(text) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("log.level", "DEBUG!"),
        ("log.level", "true"),
        ("log.level", "info\nother = 1"),
        ("invite.lifetime", "0"),
        ("invite.lifetime", "nan"),
        ("invite.lifetime", "inf"),
        ("invite.lifetime", "31d"),
        ("invite.lifetime", "true"),
        ("invite.lifetime", "[1]"),
        ("invite.lifetime", "1" * 400),
        ("invite.lifetime", "1" * 5000),
        ("programs.limit", "15"),
        ("programs.limit", "true"),
        ("programs.limit", "100.5"),
        ("programs.limit", "many"),
        ("programs.limit", "1979-05-27"),
        ("listen", ""),
        ("listen", "none tcp://a:1"),
        ("listen", "[1]"),
        ("listen", "{}"),
        ("listen", "tcp://nas"),
        ("listen", "unix:/x"),
        ("listen", "udp://a:1"),
        ("listen", "tcp://a:1\x1b[31m"),
        ("listen", "tcp://" + "a" * 400 + ":1"),
        ("listen", "tcp://a:1 " * 17),
        ("listen", "[" * 4000),
        ("hub.uses", "nas"),
        ("hub.uses", ADDRESS[:-1]),
        ("hub.uses", f"{ADDRESS} " * 17),
        ("hub.uses", "[1]"),
        ("hub.uses", "true"),
        ("hub.granted", "nas"),
        ("hub.granted", f"{ADDRESS} " * 101),
        ("hub.admits", "everybody"),
    ],
)
def test_what_does_not_fit_is_a_typed_error(key: str, text: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        find(key).typed(text)
    assert caught.value.message.startswith(f"{key} must be ")
    assert caught.value.hint == f"glow config explain {key}"
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("key", "hint"),
    [("log.levle", "did you mean log.level?"), ("invite", "did you mean invite.lifetime?"), ("zzz", "glow config")],
)
def test_an_unknown_key_names_what_is_like_it(key: str, hint: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        find(key)
    assert key in caught.value.message
    assert caught.value.hint.startswith(hint)
