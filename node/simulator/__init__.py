"""Hundreds of real routers and sessions in one OS process, in virtual time: `glow simulate SCENARIO.json`.

What runs is the code of a node: its routing core, its queues, its liveness, its sessions with their handshakes, its
rpc. Made up are only the time, the wires between the nodes, and who is certified: everyone.

    events      what happens when; virtual time
    wire        two ends of a link: delay and bandwidth
    device      a node's real parts, wired
    behaviour   nodes that drop what they should forward, or lie about their edges
    trails      which nodes each packet has visited
    world       the graph as it really is, and how it changes
    scenario    a scenario's JSON; generators: graphs to order; named: either, as the command line names it
    simulation  runs a scenario; report: what came out

Everything random comes from one seed: the same seed gives the same events, byte for byte.
"""
