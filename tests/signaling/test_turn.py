"""Credentials for a TURN server, as coturn computes them."""

from __future__ import annotations

from signaling.turn import credentials


def test_the_password_is_the_hmac_that_openssl_computes() -> None:
    """printf %s 1433895918:ninefingers | openssl dgst -sha1 -hmac north -binary | base64"""
    username, password = credentials(b"north", "ninefingers", 1433895918)
    assert username == "1433895918:ninefingers"
    assert password == "jy8hTxmOO7UtEKXqSkSlvakPVYA="
