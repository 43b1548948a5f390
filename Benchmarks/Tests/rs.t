#!/usr/bin/env bash
# The erasure code, briefly: that each variant is measured, beside ISA-L. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
command -v jq >/dev/null || skip_all "needs jq"
[ -x "$oxbench" ] || skip_all "needs oxbench at $oxbench: make build, or set OXBENCH"

report=$("$oxbench" rs --rounds 2 --time 50us --json)
ok $? "the erasure code is measured"
holds() { jq -e "$1" <<<"$report" >/dev/null; }

holds '.command == "rs" and (.results | length >= 24)'
ok $? "the report has its frame"
holds '[.results[] | .ns_per_operation > 0 and .ratio_to_baseline > 0 and .ratio_of_bests > 0] | all'
ok $? "every operation took time, and ISA-L was measured in the same run"
holds '[.results[] | select(.operation | startswith("set up") | not)
        | .gigabytes_per_second_min <= .gigabytes_per_second and .gigabytes_per_second <= .gigabytes_per_second_max] | all'
ok $? "the median lies between its bounds"
holds '[.results[].variant] | index("scalar") != null and any(startswith("isa-l"))'
ok $? "the scalar variant and the peer are there"
only=$("$oxbench" rs --rounds 1 --time 50us --only recover --json) &&
    [ "$(jq -r '[.results[].operation | startswith("recover")] | all' <<<"$only")" = true ]
ok $? "--only leaves the others out"
"$oxbench" rs --rounds 0 >/dev/null 2>&1
[ $? = 64 ]
ok $? "wrong usage is said with exit code 64"

finish
