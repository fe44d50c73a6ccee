"""The relay: a node of the network. `start(home)` runs one inside this OS process.

start          puts a node together and runs it          node, timer   its parts, and their clock
home, store    what it keeps on disk                     identity      its keys
certificates, directory, pairing, doorkeeper             who belongs to it, and how they come in
router, queues, transit, liveness, routing/              packets, and where they go
links/         one file per transport                    peers         its conversations
attachment, bridge                                       programs of this device
host, node_process                                       its processes, and itself as one
configuration/ what it is set to, and the history of that
meetings, acquaintances, trials, offers, discovery       links that nobody asked for: direct ones, and on the LAN
hub_services, rendezvous, knocks                         what it asks of hubs, and how it meets others there
network, limits, admission, accounts, ways, willingness  what changes around it, and what it grants others
logs, metrics                                            what it and they said, what it counts
cli/           one file per command
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from node.running import RunningNode, start

__all__ = ["RunningNode", "start"]


def __getattr__(name: str) -> Any:
    """Imports the node when it is asked for: importing `node.cli` must not."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("node.running"), name)
