"""How nodes that cannot yet reach each other meet: the signaling process of a hub."""

from hashlib import blake2b

RESOURCE = blake2b(b"glow/1 signaling", digest_size=16).digest()
"""The id of every hub's signaling resource: a hub can tell its labels to nobody, so all know this one."""
