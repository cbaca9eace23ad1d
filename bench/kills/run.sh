#!/bin/sh
# The long kill run: kill -9 of a random compartment, or of all, under load of 20 connections.
# Every message answered 250 must be in its mailbox afterwards, octet for octet, once.
#
#   bench/kills/run.sh [KILLS [SEED]]        1,000 kills by default, about 20 minutes
set -eu
cd "$(dirname "$0")/../.."
SEKISHO_KILLS=${1:-1000}
export SEKISHO_KILLS
[ $# -lt 2 ] || { SEKISHO_SEED=$2; export SEKISHO_SEED; }
exec cargo test --release -p sekisho --test journeys -- --nocapture kills_lose_nothing
