#!/usr/bin/env bash
# Prints the path of a Python 3.13 that runs on this machine, and fails if there is none. It searches this
# machine, then downloads from Debian's package mirror, then lets uv download one. Nothing is installed.
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
kept=$project/build/python3.13

runs() { [ "$("$1" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null)" = "3 13" ]; }

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

# Debian's stable release has 3.13. Its packages are unpacked with the C library that they need, into a
# folder: the machine's own release, and its list of packages, stay unchanged.
fetch_from_debian() {
    local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -r $keys ] && command -v apt-get dpkg-deb >/dev/null || return 1
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        grep -m 1 -E '/debian/?$') || return 1
    rm -rf "$kept"
    mkdir -p "$kept"/{lists/partial,cache,root,packages}
    echo "deb [signed-by=$keys] $mirror trixie main" >"$kept/sources.list"
    local apt=(apt-get -qq -o "Dir::Etc::SourceList=$kept/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$kept/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$kept/cache"
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2)
    "${apt[@]}" update &&
        (cd "$kept/packages" && "${apt[@]}" download libc6 libexpat1 zlib1g \
            python3.13-minimal libpython3.13-minimal libpython3.13-stdlib) || return 1
    for package in "$kept"/packages/*.deb; do dpkg-deb -x "$package" "$kept/root"; done
    rm -rf "$kept"/{lists,cache,packages}
    local libc loader
    libc=$(find "$kept/root" -name libc.so.6 | head -1)
    loader=$(find "$kept/root" -name 'ld-linux*.so.*' | head -1)
    cat >"$kept/python" <<EOF
#!/bin/sh
PYTHONHOME='$kept/root/usr' exec '$loader' --library-path '$(dirname "$libc")' '$kept/root/usr/bin/python3.13' "\$@"
EOF
    chmod +x "$kept/python"
}

fetch_with_uv() {
    local uv=$project/.venv/bin/uv
    [ -x "$uv" ] || uv=$(command -v uv) || return 1
    UV_HTTP_TIMEOUT=60 "$uv" python install --quiet --no-bin --install-dir "$kept/uv" 3.13
}

{
    find_here >/dev/null || { fetch_from_debian && find_here >/dev/null; } || fetch_with_uv
} >/dev/null 2>&1 || true
find_here
