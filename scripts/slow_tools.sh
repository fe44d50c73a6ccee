#!/bin/sh
# Brings what the tests of real networks need beside Python: ip and tc (iproute2), nft (nftables), conntrack, a TURN
# server (coturn) and a browser (chromium). What is missing is installed where that needs no question, as root on Debian
# and its like, and said before. Where it cannot be, that is said, and the tests that need it are skipped with the
# reason. coturn is installed without its service running: each test starts a server of its own.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }
need() { missing="${missing:+$missing }$1"; }
service() { ! has systemctl || systemctl "$1" coturn.service >/dev/null 2>&1 || true; }

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null ||
        echo "test-slow: apt-get could not install $1; the tests of real networks that need it are skipped"
}

[ "$(uname -s)" = Linux ] || exit 0
missing=""
{ has ip && has tc; } || need iproute2
has nft || need nftables
has conntrack || need conntrack
has turnserver || need coturn
has chromium || need chromium
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
    echo "test-slow: without $missing, and root, tests of real networks are skipped"
    exit 0
fi
echo "test-slow: installing $missing with apt-get"
apt-get update -qq >/dev/null || echo "test-slow: apt-get could not update its lists; it goes by those it has"
for package in $missing; do
    if [ "$package" = coturn ]; then
        service mask
        install coturn
        service unmask
        service disable
    else
        install "$package"
    fi
done
