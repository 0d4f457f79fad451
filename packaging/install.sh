#!/usr/bin/env bash
# Install cimlnk on a bare Debian 12 (or newer, with Python 3.11 at hand), as the containers do:
#   packaging/install.sh system     the system packages (as root)
#   packaging/install.sh setup      the environment and the compiled engine, in this checkout
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
case "${1:-}" in
    system)
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            python3 python3-venv python3-pip git ca-certificates >/dev/null
        ;;
    setup) ./run setup ;;
    *)
        echo "install.sh: found '${1:-}', expected system or setup" >&2
        exit 2
        ;;
esac
