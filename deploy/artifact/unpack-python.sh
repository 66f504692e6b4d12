#!/usr/bin/env bash
# Unpacks Debian's Python 3.13 into a folder, with the C library that it needs and any packages that are
# named besides: <folder>/root has the files, <folder>/python starts it. Nothing is installed, nothing is
# run in there, and neither root nor Debian's current release is needed: only apt and its archive keys.
set -euo pipefail

folder=$(mkdir -p "${1:?the folder to unpack into}" && cd "$1" && pwd)
shift
suite=trixie
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keys ] && command -v apt-get dpkg-deb >/dev/null || {
    echo "apt-get, dpkg-deb and Debian's archive keys are needed to unpack its Python 3.13" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The mirror that this machine uses, so that its own settings for one hold.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    grep -m 1 -E '/debian/?$' || true)
mkdir -p "$work"/{lists/partial,cache/archives/partial}
: >"$work/status" # as if nothing were installed, so that each package comes with all it depends on
echo "deb [signed-by=$keys] ${mirror:-http://deb.debian.org/debian} $suite main" >"$work/sources.list"
apt=(apt-get -qq -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2 -o Debug::NoLocking=1)
"${apt[@]}" update
"${apt[@]}" install --yes --download-only --no-install-recommends \
    python3.13-minimal libpython3.13-stdlib "$@" >/dev/null

rm -rf "$folder/root" "$folder/python"
mkdir "$folder/root"
# Since Debian merged them these are links into usr/, which no package but one brings.
for name in bin lib lib64 sbin; do
    mkdir -p "$folder/root/usr/$name"
    ln -s "usr/$name" "$folder/root/$name"
done
for package in "$work"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$folder/root" --keep-directory-symlink
done

libc=$(find "$folder/root/usr" -name libc.so.6 | head -1)
loader=$(find "$folder/root/usr" -name 'ld-linux*.so.*' | head -1)
python=$folder/root/usr/bin/python3.13
# By its own loader and libraries: the machine may have older ones.
cat >"$folder/python" <<END
#!/bin/sh
PYTHONHOME='$folder/root/usr' exec '$loader' --argv0 '$python' --library-path '$(dirname "$libc")' '$python' "\$@"
END
chmod +x "$folder/python"
