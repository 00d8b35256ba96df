#!/bin/sh
# Installs the programs that the tests use and this machine lacks. Debian and Ubuntu packages; on
# another system, install the same programs by its own means and this does nothing.
set -eu

missing=
want() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
python_has() { python3 -c "$1" >/dev/null 2>&1; }
clang_has_sanitizers() {
    echo 'int main(void) { return 0; }' |
        clang -fsanitize=address,undefined -x c -o /dev/null - 2>/dev/null
}
bring() {
    command -v apt-get >/dev/null 2>&1 || { echo "install these first: $*" >&2; exit 1; }
    root=
    [ "$(id -u)" = 0 ] || root=sudo
    $root apt-get update -qq
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
}

want gcc "gcc libc6-dev"        # the build, and the strictest compile of the core
want nm binutils                # what the core calls, and what compilers made of it
want clang clang                # the same by another compiler; the fuzzers
want valgrind valgrind          # branches made from secrets
want aarch64-linux-gnu-gcc "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"    # the other machine
want qemu-aarch64 qemu-user
want oathtool oathtool          # codes we did not make
want redis-cli redis-tools      # a client we did not write
want redis-server redis-server  # what the daemon is measured beside
want pdftotext poppler-utils    # what a printed card says, read by others
want openssl openssl            # certificates we did not make
want node nodejs                # clients in another language
want npm npm
want systemd-analyze systemd    # what a unit leaves open
PATH=$PATH:/usr/sbin:/sbin
want mkfs.ext4 e2fsprogs        # a real file system that is cut off
want losetup mount
# Headers: memcheck's marks, libcrypto as a witness, and the peers that bench/ compares with.
[ -e /usr/include/valgrind/memcheck.h ] || missing="$missing valgrind"
[ -e /usr/include/liboath/oath.h ] || missing="$missing liboath-dev"
[ -e /usr/include/openssl/sha.h ] || missing="$missing libssl-dev"
[ "$(uname -m)" != x86_64 ] || [ -e /usr/include/intel-ipsec-mb.h ] ||
    missing="$missing libipsec-mb-dev"
python_has 'import ensurepip, venv' || missing="$missing python3-venv"
python_has 'import os, sysconfig
assert os.path.exists(sysconfig.get_path("include") + "/Python.h")' || missing="$missing python3-dev"

# shellcheck disable=SC2086
[ -z "$missing" ] || bring $missing
node=$(dirname "$0")/node
[ -e "$node/node_modules/.package-lock.json" ] ||
    npm ci --prefix "$node" --no-audit --no-fund --silent
clang_has_sanitizers || bring "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
