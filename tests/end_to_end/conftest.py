"""All of these take their time; what they start is stopped whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.devices import Device, first, joined
from tests.end_to_end.network import Network, missing, network

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Callable[..., Device]]:
    """`device(name)` is the first device; `device(name, inviter)` one that it invites."""
    made: list[Device] = []

    def make(name: str, inviter: Device | None = None) -> Device:
        new = first(tmp_path, name) if inviter is None else joined(tmp_path, inviter, name)
        made.append(new)
        return new

    yield make
    for old in made:
        if old.node is not None:
            old.node.kill()
            old.node.communicate()


@pytest.fixture
def real_network(tmp_path: Path) -> Iterator[Network]:
    """A `Network` without anything in it yet; says why where none can be made."""
    if reason := missing():
        pytest.skip(reason)
    with network(tmp_path) as made:
        yield made
