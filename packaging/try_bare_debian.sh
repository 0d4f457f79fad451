#!/usr/bin/env bash
# Try packaging/install.sh where nothing is installed: packaging/try_bare_debian.sh [FOLDER] [MIRROR]
# Makes a bare Debian 12 in FOLDER (default: a new one in $TMPDIR, removed at the end), copies this checkout into it, installs
# with the two steps of the containers, and asks for the plan of the tiny cohort, for a wheel, and for the engine.
# As root, with debootstrap on the PATH; 2.5 GB and five to ten minutes.
set -euo pipefail
home=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "try_bare_debian.sh: found user $(id -un), expected root: a new Debian root needs it" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "try_bare_debian.sh: found no debootstrap on PATH (apt-get install debootstrap)" >&2; exit 2; }
if [ $# -gt 0 ]; then root=$1; else root=$(mktemp -d); fi
mirror=${2:-http://deb.debian.org/debian}
done_() {
    umount -q "$root/dev/shm" "$root/proc" 2>/dev/null || true
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$root"
}
trap done_ EXIT
[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$root" "$mirror" >/dev/null
mkdir -p "$root/opt/cimlnk" "$root/proc" "$root/dev/shm"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev/shm" # joblib and multiprocessing keep semaphores there
cp /etc/resolv.conf "$root/etc/resolv.conf"
# a house with its own certificates or package index has them here too
for file in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    if [ -f "$file" ]; then mkdir -p "$root$(dirname "$file")" && cp "$file" "$root$file"; fi
done
git -C "$home" ls-files -co --exclude-standard | tar -C "$home" -c --ignore-failed-read -T - | tar -x -C "$root/opt/cimlnk"
bare() { chroot "$root" env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 "$@"; }
bare /opt/cimlnk/packaging/install.sh system
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; fi
bare /opt/cimlnk/packaging/install.sh setup
bare bash -c 'cd /opt/cimlnk && ./run snakemake -n -q --configfile config/tiny.yaml | tail -n 3'
bare bash -c 'cd /opt/cimlnk && ./run pytest -q -p no:cacheprovider tests/unit/test_examples.py tests/unit/stats | tail -n 1'
echo "try_bare_debian.sh: installed and tried in a bare Debian $(cat "$root/etc/debian_version")"
