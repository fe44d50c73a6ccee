"""Credentials for a TURN server that shares a secret with this hub, such as coturn with `use-auth-secret`.

The name is when they end and who has them; the password proves that the hub made them
(draft-uberti-behave-turn-rest-00, section 2.2).
"""

from __future__ import annotations

import base64
import hashlib
import hmac


def credentials(secret: bytes, holder: str, expires: int) -> tuple[str, str]:
    """(username, password) that serve `holder` until `expires` (Unix time in seconds)."""
    username = f"{expires}:{holder}"
    digest = hmac.new(secret, username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()
