#!/usr/bin/env bash
# The inner loops, briefly: that each is measured, with its baseline. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
command -v jq >/dev/null || skip_all "needs jq"
[ -x "$oxbench" ] || skip_all "needs oxbench at $oxbench: make build, or set OXBENCH"

report=$("$oxbench" kernels --rounds 2 --time 50us --json)
ok $? "kernels are measured"
holds() { jq -e "$1" <<<"$report" >/dev/null; }

holds '.command == "kernels" and (.results | length > 20)'
ok $? "the report has its frame"
holds '[.results[] | .ns_per_operation > 0 and .ns_per_operation_min <= .ns_per_operation
        and .ns_per_operation <= .ns_per_operation_max] | all'
ok $? "every operation took time, and the median lies between its bounds"
holds '[.results[] | .ratio_to_baseline > 0] | all'
ok $? "every variant has a baseline in the same run"
holds '[.results[] | select(.variant == .baseline) | .ratio_to_baseline] | length > 10 and all(. == 1)'
ok $? "a baseline is as fast as itself"
only=$("$oxbench" kernels --rounds 1 --time 50us --only checksum --json) &&
    [ "$(jq -r '[.results[].kernel | startswith("checksum")] | all' <<<"$only")" = true ]
ok $? "--only leaves the others out"
"$oxbench" kernels --only nonsense >/dev/null 2>&1
[ $? = 1 ]
ok $? "an operation that there is not is said with exit code 1"
"$oxbench" kernels --rounds 0 >/dev/null 2>&1
[ $? = 64 ]
ok $? "wrong usage is said with exit code 64"

finish
