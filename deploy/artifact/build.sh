#!/usr/bin/env bash
# Assembles what Lambda runs in a folder: handlers/, models/ and the locked dependencies, for Python 3.13
# on both of Lambda's processor architectures, byte-compiled.
set -euo pipefail

target=${1:?the folder to build into}
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

uv=$project/.venv/bin/uv
[ -x "$uv" ] || uv=$(command -v uv) || {
    echo "uv is needed: run 'make build', which installs it" >&2
    exit 1
}

# Dependencies as wheels only, so that no Python 3.13 is needed to install them.
install_for() {
    "$uv" pip install --quiet --target "$2" --python-version 3.13 --python-platform "$1" \
        --only-binary :all: --require-hashes --link-mode copy -r "$project/requirements/runtime.txt"
}
install_for x86_64-manylinux_2_28 "$target"
install_for aarch64-manylinux_2_28 "$work/arm64"

# The two differ in extension modules, which carry the processor in their names: with both of them the
# artifact runs on either value of the template's Architecture.
(cd "$work/arm64" && find . -name '*.so' -exec cp --parents {} "$target" \;)
for module in $(cd "$target" && find . -name '*.so'); do
    case $module in
        *-x86_64-linux-gnu.so) twin=${module/-x86_64-/-aarch64-} ;;
        *-aarch64-linux-gnu.so) twin=${module/-aarch64-/-x86_64-} ;;
        *) echo "$module does not name its processor" >&2; exit 1 ;;
    esac
    [ -e "$target/$twin" ] || { echo "$module has no twin for the other processor" >&2; exit 1; }
done

cp -R "$project/handlers" "$project/models" "$target"
rm -rf "$target/bin" "$target/.lock"
find "$target" -name __pycache__ -prune -exec rm -rf {} +

# Lambda cannot write beside the code, so without this each cold start compiles everything again. Only
# bytecode of 3.13 itself is of use there: any other would be ignored, and only add to the size.
# Unchecked, because file times do not survive the archive that Lambda unpacks.
if python=$(bash "$here/find-python.sh"); then
    "$python" -m compileall -q -s "$target" -p /var/task --invalidation-mode unchecked-hash "$target"
else
    echo "No Python 3.13 was found or could be downloaded: built without bytecode, so cold starts are slower." >&2
fi
