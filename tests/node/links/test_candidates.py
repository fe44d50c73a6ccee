"""What the other end of a data channel tells of its addresses: read, bounded, and in an order that can be used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.links import LinkError
from node.links.candidates import END, MAX_CANDIDATES, Candidates, parse

USED = "1 1 udp 2113937151 192.0.2.1 9 typ host"
CHROMIUM = "candidate:2330717420 1 udp 2113937151 e36e79f4-dc51-4406-9779-c34166a1525c.local 35303 typ host"
EXTENSIONS = " generation 0 ufrag NioT network-cost 999"
REFLEXIVE = "candidate:0 1 UDP 1677729535 198.18.0.3 40000 typ srflx"
DESCRIPTION = "v=0\r\n{}a=mid:0\r\n"


def line(number: int) -> str:
    return f"candidate:{number} 1 udp 1 192.0.2.1 {number + 1} typ host"


def used(number: int) -> str:
    return line(number).removeprefix("candidate:")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (f"candidate:{USED}", USED),
        (f"a=candidate:{USED}", USED),
        (CHROMIUM + EXTENSIONS, CHROMIUM.removeprefix("candidate:")),
        (REFLEXIVE + " raddr 0.0.0.0 rport 0", REFLEXIVE.removeprefix("candidate:")),
        ("candidate:1 1 udp 1 2001:db8::1 9 typ host", "1 1 udp 1 2001:db8::1 9 typ host"),
        ("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active", None),
        ("candidate:1 1 TCP 1 192.0.2.1 9 typ host tcptype active", None),
        ("", ""),
        (END, ""),
    ],
)
def test_what_browsers_tell_is_understood(told: str, kept: str | None) -> None:
    assert parse(told) == kept


@pytest.mark.parametrize(
    "told",
    [
        " ",
        "candidate",
        "candidate:",
        USED,
        "candidate:1 1 udp 1 192.0.2.1 typ host",
        "candidate:1 2 udp 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ",
        "candidate:1 1 udp -1 192.0.2.1 9 typ host",
        "candidate:1 1 udp \u0661 192.0.2.1 9 typ host",
        f"candidate:1 1 udp 1 {'a' * 256} 9 typ host",
        f"candidate:{USED}\r\na=mid:0",
        f"candidate:{USED}\n",
    ],
)
def test_what_is_no_candidate_is_refused_alone(told: str) -> None:
    heard: list[str] = []
    candidates = Candidates(heard.append)
    candidates.described()
    with pytest.raises(LinkError) as caught:
        candidates.add(told)
    assert caught.value.cause
    candidates.add(line(0))
    assert heard == [used(0)]


@given(st.text())
def test_any_text_is_a_candidate_or_refused(text: str) -> None:
    try:
        kept = parse(text)
    except LinkError:
        return
    assert not kept or len(kept) < 400


def test_those_that_come_before_the_description_wait_for_it() -> None:
    heard: list[str] = []
    candidates = Candidates(heard.append)
    candidates.add(line(0))
    assert candidates.split(DESCRIPTION.format("")) == DESCRIPTION.format("")
    assert not heard
    candidates.described()
    candidates.add(line(1))
    candidates.add("")
    assert heard == [used(0), used(1), ""]


def test_the_end_is_told_last_and_once_whenever_it_came() -> None:
    heard: list[str] = []
    candidates = Candidates(heard.append)
    candidates.add("")
    candidates.split(DESCRIPTION.format(f"a={line(0)}\r\n{END}\r\n"))
    candidates.described()
    candidates.add("")
    assert heard == [used(0), ""]


def test_one_after_the_end_is_refused() -> None:
    heard: list[str] = []
    candidates = Candidates(heard.append)
    candidates.split(DESCRIPTION.format(f"{END}\r\n"))
    candidates.described()
    with pytest.raises(LinkError, match="after the last one"):
        candidates.add(line(0))
    assert heard == [""]


@pytest.mark.parametrize("early", [True, False])
def test_no_more_than_sixteen_are_tried_and_one_more_is_refused(early: bool) -> None:
    heard: list[str] = []
    candidates = Candidates(heard.append)
    if not early:
        candidates.described()
    for number in range(MAX_CANDIDATES):
        candidates.add(line(number))
    with pytest.raises(LinkError, match="more than 16"):
        candidates.add(line(MAX_CANDIDATES))
    candidates.add("")
    candidates.described()
    assert [candidate for candidate in heard if candidate] == [used(number) for number in range(MAX_CANDIDATES)]


def test_of_a_description_sixteen_are_tried_and_the_others_are_left_out() -> None:
    heard: list[str] = []
    candidates = Candidates(heard.append)
    lines = "".join(f"a={line(number)}\r\n" for number in range(40))
    assert candidates.split(DESCRIPTION.format(lines + END + "\r\n")) == DESCRIPTION.format("")
    candidates.described()
    assert heard == [*(used(number) for number in range(MAX_CANDIDATES)), ""]


def test_those_for_tcp_take_no_room() -> None:
    heard: list[str] = []
    candidates = Candidates(heard.append)
    candidates.described()
    for number in range(40):
        candidates.add(line(number).replace("udp", "tcp"))
    candidates.add(line(0))
    assert heard == [used(0)]


def test_a_description_with_one_that_is_none_is_refused() -> None:
    with pytest.raises(LinkError):
        Candidates(print).split(DESCRIPTION.format("a=candidate:nonsense\r\n"))
