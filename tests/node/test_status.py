"""What is said of how a node is reached."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from node.status import why_not_directly


def node(*links: Any) -> Any:
    return SimpleNamespace(meetings=SimpleNamespace(links_to=lambda address: list(links)))


TRIAL = SimpleNamespace(kind="webrtc", on_trial=True)
PROVEN = SimpleNamespace(kind="tcp", on_trial=False)


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([], "no link leads there directly"),
        ([TRIAL], "the webrtc link to it is tried out first"),
        ([PROVEN], "the link to it costs more, or came up just now"),
        ([TRIAL, PROVEN], "the link to it costs more, or came up just now"),
    ],
)
def test_a_node_that_is_reached_over_others_says_why_no_link_to_it_is_used(links: list[Any], said: str) -> None:
    assert why_not_directly(node(*links), b"") == said
