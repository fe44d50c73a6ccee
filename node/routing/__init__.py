"""Routing: which link a packet leaves by.

Every node of a namespace signs a record of its edges; the records flood; each node computes the same shortest paths
from them. This package is sans-I/O, knows no sockets and no certificates, and runs the same in a node and in the
simulator. From the outside in:

    mesh        all areas of a node: what the router's driver talks to; flow: its packets in the queue of a link
    flooding    statements kept and passed on; exchange: one link's side of that; messages: its wire form
    statements  the store, and what a kind of statement has to answer
    linkstate   link-state records as such a kind; record: their wire form; origin: when to send our own
    area        one namespace: records, neighbours, routes; graph: shortest paths as pure functions; neighbour: links
    tables      which link a packet leaves by, from the routes of several namespaces; hubs: who connects these
    waypoints   ways round nodes that swallow packets

Liveness and cost of links are measured in `node/liveness.py`; `node/queues.py` says who may send next. The contract is
docs/concepts/wire.md, sections 1 to 3.
"""

from node.routing.flow import TopologyFlow
from node.routing.hubs import Admitted, Crossing
from node.routing.mesh import Mesh, MeshEvents
from node.routing.record import Record, Relay
from node.routing.statements import Certifier, Kind, Place, Refusal, Standing, Statement

__all__ = [
    "Admitted",
    "Certifier",
    "Crossing",
    "Kind",
    "Mesh",
    "MeshEvents",
    "Place",
    "Record",
    "Refusal",
    "Relay",
    "Standing",
    "Statement",
    "TopologyFlow",
]
