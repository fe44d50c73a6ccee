"""Who is dealt with without a certificate: as it is set, within a bound, and never one that had a certificate."""

from __future__ import annotations

from dataclasses import dataclass

from node.admission import MAX_ADMITTED, Admission
from node.routing import Admitted

MEMBER, HUB, OTHER = b"member", b"hub", b"other"


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
