#!/bin/sh
# Brings what the tests of real networks need beside Python: ip and tc (iproute2), nft (nftables). What is missing is
# installed where that needs no question, as root on Debian and its like, and said before. Where it cannot be, that is
# said, and these tests are skipped with the reason.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }

[ "$(uname -s)" = Linux ] || exit 0
missing=""
{ has ip && has tc; } || missing="iproute2"
has nft || missing="${missing:+$missing }nftables"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
    echo "test-slow: without $missing, and root, the tests of real networks are skipped"
    exit 0
fi
echo "test-slow: installing $missing with apt-get"
# shellcheck disable=SC2086
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
    echo "test-slow: apt-get could not install $missing; the tests of real networks are skipped"
