#!/bin/sh
# Installs the programs that the tests use and this machine lacks. Debian and Ubuntu packages; on
# another system, install the same programs by its own means and this does nothing.
set -eu

missing=
want() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
want gcc gcc              # the build, and the strictest compile of the core
want clang clang          # the same by another compiler
want oathtool oathtool    # codes we did not make
want redis-cli redis-tools   # a client we did not write
want nm binutils           # and objdump: what the compiler made of the core
has_python() { python3 -c "$1" >/dev/null 2>&1; }
has_python 'import ensurepip, venv' || missing="$missing python3-venv"
has_python 'import os, sysconfig
assert os.path.exists(sysconfig.get_path("include") + "/Python.h")' || missing="$missing python3-dev"

if [ -n "$missing" ]; then
    command -v apt-get >/dev/null 2>&1 || { echo "install these first:$missing" >&2; exit 1; }
    root=
    [ "$(id -u)" = 0 ] || root=sudo
    $root apt-get update -q
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi
