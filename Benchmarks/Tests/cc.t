#!/usr/bin/env bash
# Congestion control in simulation: the form of the reports, and that a seed's run repeats. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
command -v jq >/dev/null || skip_all "needs jq"
[ -x "$oxbench" ] || skip_all "needs oxbench at $oxbench: make build, or set OXBENCH"

report=$("$oxbench" cc --only '10 Mbit/s, 100 ms' --seeds 2 --json 2>/dev/null)
ok $? "cc measures a case"
holds() { jq -e "$1" <<<"$report" >/dev/null; }
holds '.command == "cc" and (.commit | type == "string") and (.machine | type == "string")'
ok $? "the report has its frame"
holds '[.results[] | select(.case == "10 Mbit/s, 100 ms") | .figure] == ["utilisation_percent", "queue_p50_bdp"]'
ok $? "each figure is a row" "$(jq -c '[.results[].figure]' <<<"$report")"
holds '[.results[] | .value >= .value_min and .value <= .value_max and .seeds == 2] | all'
ok $? "values lie within their spread"
holds '.results[0] | .value >= 95 and .met == "met" and .cubic >= 95'
ok $? "the link is used" "$(jq -c '.results[0]' <<<"$report")"
[ "$report" = "$("$oxbench" cc --only '10 Mbit/s, 100 ms' --seeds 2 --json 2>/dev/null)" ]
ok $? "the same seeds give the same report"

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
printf '%s\n' 1 2 3 4 5 6 7 8 9 10 >"$place/steady.down"
report=$("$oxbench" cc --traces "$place" --only 'trace steady' --seeds 1 --alone --json 2>/dev/null)
ok $? "cc runs over a trace"
holds '.results[0] | .case == "trace steady.down" and .value >= 85'
ok $? "and uses it" "$(jq -c '.results[0]' <<<"$report")"

report=$("$oxbench" ab batch --scenario game --seeds 2 --json 2>/dev/null)
ok $? "ab compares a feature"
holds '[.results[] | .low_95 <= .difference and .difference <= .high_95 and .scenario == "game"] | length > 5 and all'
ok $? "differences lie within their intervals"
report=$("$oxbench" ab header-compression --scenario calls --seeds 2 --json 2>/dev/null)
ok $? "ab compares header compression"
holds '.results | any(.figure == "wire_bytes_per_packet" and .difference < -20 and .verdict == "better")'
ok $? "packets of games and calls take less on the wire" \
    "$(jq -c '[.results[] | select(.figure == "wire_bytes_per_packet") | [.off, .on]]' <<<"$report")"
"$oxbench" ab nothing-such >/dev/null 2>&1
[ $? -eq 64 ]
ok $? "an unknown feature is refused"

finish
