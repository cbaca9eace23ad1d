#!/bin/bash
# The benchmarks, side by side with Postfix and Dovecot in one run; writes docs/benchmarks.md.
#   bench/run.sh            three rounds, at most 40 minutes
#   QUICK=1 bench/run.sh    one round, at most ten minutes; the same sizes
#   CLEAN=1                 times a clean release build before (up to 12 minutes more)
#   MAILBOX=n SESSIONS=n    another size of the mailbox that is read, other idle sessions
# As root on Debian or Ubuntu the peers are installed (nothing of them is started by the system)
# and configured in a folder of their own; otherwise, or with PEERS=0, Sekisho runs alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

install_peers() {
    local missing=()
    command -v postfix >/dev/null || [ -x /usr/sbin/postfix ] || missing+=(postfix)
    command -v dovecot >/dev/null || [ -x /usr/sbin/dovecot ] || missing+=(dovecot-core)
    [ -x /usr/lib/dovecot/lmtp ] || missing+=(dovecot-lmtpd dovecot-imapd)
    command -v perf >/dev/null || missing+=(linux-perf)
    [ ${#missing[@]} -eq 0 ] && return 0
    # For the length of the installation no package may start a daemon.
    local made=
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        made=1
    fi
    local package
    # Old lists name packages that the archive has replaced.
    apt-get update -q >/dev/null 2>&1 || echo "bench: the lists of packages are as they were" >&2
    for package in "${missing[@]}"; do
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$package" >/dev/null 2>&1 ||
            echo "bench: $package could not be installed" >&2
    done
    [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
}

if [ "$(id -u)" = 0 ] && [ "${PEERS:-1}" = 1 ] && command -v apt-get >/dev/null; then
    install_peers
fi
if [ "${CLEAN:-0}" = 1 ]; then
    begin=$(date +%s)
    clean=$(mktemp -d "$root/target-clean.XXXXXX")
    cargo build --release --manifest-path "$root/Cargo.toml" -p sekisho --target-dir "$clean"
    export BUILD_SECONDS=$(($(date +%s) - begin))
    rm -rf "$clean"
fi
if [ "${BUILD:-1}" = 1 ]; then
    cargo build --release --manifest-path "$root/Cargo.toml" -p sekisho --target-dir "$target"
    cargo build --release --manifest-path "$root/bench/load/Cargo.toml" --target-dir "$target"
fi
exec python3 "$root/bench/compare.py" --root "$root" \
    --sekisho "${SEKISHO:-$target/release/sekisho}" --load "${LOAD:-$target/release/load}" "$@"
