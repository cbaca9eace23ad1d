#!/bin/sh
# The long kill run: kill -9 of a random compartment, or of all, a thousand times.
#
#   bench/kills/run.sh [arrival|releases|leaving [KILLS [SEED]]]
#
# arrival   under load of 20 senders: every message answered 250 must be in its mailbox afterwards,
#           octet for octet, once
# releases  while 16 readers open mail: for whatever a client received there is an entry, and the
#           vault's numbers have no gap
# leaving   while ten people write: every message answered 250 must arrive at a sink that counts
#
# About 20 minutes each with 1,000 kills. SEKISHO_BETWEEN_MS (900) sets the pace: more on a busy
# machine. SEKISHO_BINARY names another binary than the one just built.
set -eu
cd "$(dirname "$0")/../.."
case ${1:-arrival} in
arrival) test=kills::kills_lose_nothing ;;
releases) test=releases::kills_release_nothing_unrecorded ;;
leaving) test=leaving_kills::kills_lose_nothing_that_leaves ;;
*) sed -n '2,14p' "$0"; exit 2 ;;
esac
SEKISHO_KILLS=${2:-1000}
export SEKISHO_KILLS
[ $# -lt 3 ] || { SEKISHO_SEED=$3; export SEKISHO_SEED; }
exec cargo test --release -p sekisho --test journeys -- --nocapture --exact "$test"
