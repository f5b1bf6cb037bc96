#!/bin/sh
# step.sh TITLE COMMAND...: run one step quietly: one line with its time, and all that it said if it fails.
set -u
title=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
started=$(date +%s)
printf '  %s ... ' "$title"
if "$@" >"$log" 2>&1; then
    printf '%s s\n' "$(($(date +%s) - started))"
else
    status=$?
    printf 'failed\n'
    cat "$log" >&2
    exit "$status"
fi
