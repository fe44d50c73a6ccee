#!/bin/sh
# Prepares .venv with `glow` in it, editable, with all that it can do; an argument names another extra of pyproject.toml
# to install as well.
# Does nothing when nothing has changed since the last time. Writes nowhere but to .venv (and Python's own __pycache__).
set -eu
cd "$(dirname "$0")/.."
extra=${1:-}
packages="firefly idl node processes signaling"
stamp=.venv/.ready${extra:+-$extra}

# A folder that was moved needs new launchers, so the stamp holds its path too.
wanted="$PWD $(cksum pyproject.toml scripts/setup.sh)"

fail() {
    echo "setup: $1" >&2
    [ -z "${2:-}" ] || echo "hint:  $2" >&2
    exit 1
}

version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# True if .venv is not of the interpreter that PYTHON names.
is_other_python() {
    [ -n "${PYTHON:-}" ] && [ "$(version_of .venv/bin/python)" != "$(version_of "$PYTHON")" ]
}

if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && ! is_other_python; then
    exit 0
fi

# Prints the first interpreter that can do it; otherwise says what each lacks and fails.
find_python() {
    old="" bare=""
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        version=$(version_of "$candidate") || continue
        if ! is_new_enough "$candidate"; then
            old="$candidate is $version"
        elif ! can_make_venv "$candidate"; then
            bare=$candidate
        else
            command -v "$candidate"
            return
        fi
    done
    if [ -n "$bare" ]; then
        fail "$bare lacks the venv module" "sudo apt install $(basename "$bare")-venv   (or name another: make setup PYTHON=/path/to/python3)"
    fi
    fail "Python 3.11 or newer is needed (${old:-found none${PYTHON:+ at $PYTHON}})" \
        "sudo apt install python3 python3-venv, or: brew install python   (or name one: make setup PYTHON=/path/to/python3)"
}

usable() { is_new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }

if is_other_python || ! usable; then
    python=$(find_python)
    echo "setup: making .venv with Python $(version_of "$python")"
    "$python" -m venv --clear .venv || fail "$python could not make .venv" "see above"
fi

echo "setup: installing glow${extra:+ and what \`$extra\` needs}"
.venv/bin/python -m pip install -qq --no-cache-dir --disable-pip-version-check --editable ".[lan,wasm,webrtc${extra:+,$extra}]" ||
    fail "pip could not install what glow needs" "is the network up? Then run the same command again"
# shellcheck disable=SC2086
.venv/bin/python -m compileall -q $packages || fail "a source file does not compile" "see above"
[ -z "$extra" ] || echo "$wanted" >.venv/.ready
echo "$wanted" >"$stamp"
echo "setup: ready, .venv/bin/glow"
