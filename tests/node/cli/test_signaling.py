"""`glow signaling`: what it makes of its arguments. tests/end_to_end/nat_pairs.py runs it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

import node
from firefly.address import format_address
from firefly.interfaces.core import ProcessState
from node.cli import signaling
from node.cli.failures import UsageError

ADDRESS, OTHER = format_address(bytes(16)), format_address(bytes(15) + b"\1")


def parsed(*words: str) -> Namespace:
    parser = ArgumentParser()
    signaling.configure(parser)
    return parser.parse_args(words)


def test_a_place_is_a_url_of_the_right_scheme() -> None:
    assert signaling.url_of("0.0.0.0:8080", False) == "tcp://0.0.0.0:8080"
    assert signaling.url_of("[::]:443", True) == "wss://[::]:443"
    assert signaling.url_of("ws://0.0.0.0:80", True) == "ws://0.0.0.0:80"
    assert signaling.url_of("none", False) == "none"


def test_the_process_is_made_from_the_flags(tmp_path: Path) -> None:
    words = (
        "--stun",
        "4000",
        "--host",
        "hub.example",
        "--turn",
        "turn:a",
        "--turn",
        "turn:b",
        "--turn-secret-file",
        "s",
        "--slots",
        "50",
    )
    assert signaling.specification_of(parsed(*words)).configuration == {
        "stun": "0.0.0.0:4000",
        "host": "hub.example",
        "turn": "turn:a turn:b",
        "turn-secret-file": str(Path("s").absolute()),
        "slots": "50",
    }
    assert signaling.specification_of(parsed("--stun", "off")).configuration == {}
    assert signaling.specification_of(parsed()).configuration == {"stun": "0.0.0.0:3478"}


@pytest.mark.parametrize(
    "words",
    [
        ["--stun", "x"],
        ["--stun", "65535"],
        ["--turn", "turn:a"],
        ["--turn-secret-file", "s"],
        ["--turn", "nonsense", "--turn-secret-file", "s"],
        ["--host", "bad host!"],
        ["--host", ""],
        ["--stun", "-1"],
    ],
)
def test_wrong_flags_are_refused_with_what_helps(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        signaling.specification_of(parsed(*words) if words[-1] != "-1" else Namespace(stun="-1"))
    assert caught.value.hint


def test_what_is_passed_on_to_the_background_is_parsed_as_the_same() -> None:
    words = "--stun 4000 --host h --turn turn:a --turn-secret-file s --admits granted --grant a --grant b"
    given = parsed(*words.split())
    assert vars(parsed(*signaling.own_words(given))) == vars(given)


async def test_run_again_it_makes_the_process_anew_with_other_flags(tmp_path: Path) -> None:
    async with node.start(tmp_path / "hub", name="hub", listen=[]) as hub:
        first = await signaling.made(hub, signaling.specification_of(parsed("--stun", "off")), {})
        again = parsed("--stun", "0", "--admits", "granted", "--grant", ADDRESS, "--grant", OTHER)
        second = await signaling.made(hub, signaling.specification_of(again), signaling.policy_of(again))
        assert first.id != second.id
        assert second.state is ProcessState.RUNNING
        assert [each.label for each in await hub.node.processes()] == ["signaling"]
        settings = {each.key: each.value for each in (await hub.node.configuration()).settings}
        assert settings["hub.admits"] == '"granted"'
        assert settings["hub.granted"] == f'["{ADDRESS}", "{OTHER}"]'
        await signaling.made(hub, signaling.specification_of(parsed()), signaling.policy_of(parsed()))
        settings = {each.key: each.value for each in (await hub.node.configuration()).settings}
        assert settings["hub.admits"] == '"granted"'


def test_what_comes_next_names_the_place() -> None:
    said = signaling.next_step(["tcp://192.0.2.1:8080"], "hub.example")
    assert "--at tcp://hub.example:8080\n" in said
    assert said.endswith("glow link add tcp://hub.example:8080")
    assert "wss://THIS-HOST:443#sha256=00" in signaling.next_step(["wss://192.0.2.1:443#sha256=00"], None)


def test_a_node_that_runs_cannot_be_told_where_to_listen() -> None:
    signaling.check_for_running(parsed("--host", "hub.example"))
    with pytest.raises(UsageError, match="--listen"):
        signaling.check_for_running(parsed("--listen", "127.0.0.1:1"))
