#!/bin/sh
# The helper against SoftHSM: a key is made, a root sealed and opened, a touched one refused.
# `token/check.sh`; says so and ends well where there is no SoftHSM.
set -eu
cd "$(dirname "$0")"
module=$(ls /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
    /usr/lib64/pkcs11/libsofthsm2.so 2>/dev/null | head -n 1)
if [ -z "$module" ] || ! command -v softhsm2-util >/dev/null; then
    echo "absent: no SoftHSM on this machine; nothing was checked"
    exit 0
fi
cargo build --quiet --locked
helper="${CARGO_TARGET_DIR:-target}/debug/sekisho-token"
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
mkdir "$folder/tokens"
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\n' "$folder" >"$folder/conf"
export SOFTHSM2_CONF="$folder/conf"
softhsm2-util --init-token --free --label house --so-pin 12345678 --pin 2468 >/dev/null
ask() { # act data pin
    printf 'module %s\ntoken house\nkey sekisho-root\npin %s\nact %s\ndata %s\n' \
        "$module" "$3" "$1" "$2" | "$helper"
}
refused() {
    if ask "$@" 2>/dev/null; then
        echo "expected a refusal of $1, found an answer"
        exit 1
    fi
}
root=AEBAGBAFAYDQQCIKBMGA2DQPCAIREEYUCULBOGAZDINRYHI6D4QA
ask make A 2468 >/dev/null
refused make A 2468
sealed=$(ask seal "$root" 2468)
test "$sealed" != "$(ask seal "$root" 2468)"
test "$(ask open "$sealed" 2468)" = "$root"
refused open "$sealed" 1357
refused open "AAAA${sealed#????}" 2468
echo "ok: made, sealed, opened; another PIN and a touched text refused"
