#!/usr/bin/env bash
# Prints the path of a Python 3.13 that runs on this machine, and fails if there is none. It searches this
# machine, then unpacks Debian's (unpack-python.sh), then lets uv download one. Nothing is installed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
kept=$project/build/python3.13

runs() { [ "$("$1" -c 'import ssl, sys; print(*sys.version_info[:2])' 2>/dev/null)" = "3 13" ]; }

find_here() {
    local candidate
    for candidate in "$kept/python" "$(command -v python3.13)" "$(command -v python3)" \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python \
        "$kept"/uv/*/bin/python3.13; do
        if [ -x "$candidate" ] && runs "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

fetch_with_uv() {
    local uv=$project/.venv/bin/uv
    [ -x "$uv" ] || uv=$(command -v uv) || return 1
    UV_HTTP_TIMEOUT=60 "$uv" python install --quiet --no-bin --install-dir "$kept/uv" 3.13
}

{
    find_here >/dev/null || { bash "$here/unpack-python.sh" "$kept" && find_here >/dev/null; } || fetch_with_uv
} >/dev/null 2>&1 || true
find_here
