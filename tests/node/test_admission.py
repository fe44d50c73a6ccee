"""Who is dealt with without a certificate: as it is set, within a bound, and never one that had a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from firefly.address import format_address
from node.admission import ENDED, FULL, MAX_ADMITTED, UNKNOWN, Admission, Ending, not_listed
from node.routing import Admitted

MEMBER, HUB, OTHER, LISTED = (name.ljust(16) for name in (b"member", b"hub", b"other", b"listed"))


@dataclass(eq=False)
class Link:
    peer_address: bytes
    certified: bool = False
    admitted: Admitted | None = None
    peer_key: bytes = bytes(32)


class Door:
    def __init__(self) -> None:
        self.changes = 0
        self.admission = Admission(MEMBER.__eq__, self._changed)
        self.links: list[Link] = []

    def _changed(self) -> None:
        self.changes += 1

    def ends(self, address: bytes, before: Admitted | None = None) -> Ending:
        return self.admission.ending(Link(address), before)

    def opens(self, address: bytes, certified: bool = False) -> Admitted | None:
        link = Link(address, certified)
        self.links.append(link)
        link.admitted = self.admission.judge(link, self.links)
        return link.admitted


def test_by_itself_a_node_is_no_hub_and_uses_none() -> None:
    assert Door().opens(OTHER) is None


def test_an_open_hub_admits_whoever_is_no_matter_of_certificates() -> None:
    door = Door()
    door.admission.set_policy("open")
    assert door.opens(OTHER) is Admitted.NODE
    assert door.opens(OTHER, certified=True) is None
    assert door.opens(MEMBER) is None  # its certificate has ended
    door.admission.set_policy("mine")
    assert door.opens(OTHER) is None
    assert door.changes == 2


def test_a_hub_in_use_is_one_that_was_named() -> None:
    door = Door()
    door.admission.set_hubs([HUB, MEMBER])
    assert door.opens(HUB) is Admitted.HUB
    assert door.opens(OTHER) is None
    assert door.opens(MEMBER) is None


def test_an_open_hub_is_full_at_some_time_and_keeps_those_it_has() -> None:
    door = Door()
    door.admission.set_policy("open")
    assert all(door.opens(OTHER) for _ in range(MAX_ADMITTED))
    assert door.opens(OTHER) is None
    assert all(door.admission.judge(link, door.links) for link in door.links[:MAX_ADMITTED])


def test_a_hub_that_grants_admits_those_alone_that_are_listed() -> None:
    door = Door()
    door.admission.set_granted([LISTED, MEMBER])
    assert door.opens(LISTED) is None
    door.admission.set_policy("granted")
    assert door.opens(LISTED) is Admitted.NODE
    assert door.opens(OTHER) is None
    assert door.opens(MEMBER) is None  # its certificate has ended, and counts for more than the list
    assert door.opens(LISTED, certified=True) is None
    door.admission.set_granted([])
    assert door.opens(LISTED) is None
    assert door.changes == 3


def test_the_list_means_nothing_to_an_open_hub() -> None:
    door = Door()
    door.admission.set_policy("open")
    door.admission.set_granted([LISTED])
    assert door.opens(OTHER) is Admitted.NODE


def test_those_that_are_listed_find_it_full_at_some_time_too() -> None:
    door = Door()
    door.admission.set_policy("open")
    assert all(door.opens(OTHER) for _ in range(MAX_ADMITTED))
    door.admission.set_granted([LISTED])
    door.admission.set_policy("granted")
    assert door.opens(LISTED) is None
    assert door.ends(LISTED) == FULL


@pytest.mark.parametrize(
    ("policy", "address", "before", "ending"),
    [
        ("mine", OTHER, None, UNKNOWN),
        ("mine", OTHER, Admitted.NODE, ENDED),
        ("mine", HUB, Admitted.HUB, ENDED),
        ("granted", OTHER, None, not_listed(OTHER)),
        ("granted", OTHER, Admitted.NODE, not_listed(OTHER)),
        ("granted", HUB, Admitted.HUB, ENDED),
        ("granted", LISTED, None, FULL),
        ("open", OTHER, None, FULL),
    ],
)
def test_whoever_is_let_go_is_told_why(policy: str, address: bytes, before: Admitted | None, ending: Ending) -> None:
    door = Door()
    door.admission.set_granted([LISTED])
    door.admission.set_policy(policy)
    assert door.ends(address, before) == ending


def test_what_a_refused_node_is_told_names_what_its_owner_can_ask_for_and_fits_a_websocket() -> None:
    for ending in (not_listed(OTHER), UNKNOWN, ENDED, FULL):
        assert len(ending.reason.encode()) <= 123
    assert f"ask for {format_address(OTHER)} in hub.granted" in not_listed(OTHER).reason
    assert format_address(OTHER) in not_listed(OTHER).hint
