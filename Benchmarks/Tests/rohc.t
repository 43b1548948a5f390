#!/usr/bin/env bash
# Header compression, alone: the filters there and back, and the bars of the measurements that count. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
command -v jq >/dev/null || skip_all "needs jq"
[ -x "$oxbench" ] || skip_all "needs oxbench at $oxbench: make build, or set OXBENCH"

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1

for flow in voice-seq hard-rtp-nested hard-tcp mix-24; do
    "$oxbench" rohc flows --write "$flow" --packets 500 >packets
    ok $? "$flow is written"
    for agreed in "--profiles v1" "--profiles v2 --reorder-ratio 2" "--profiles v2 --cid large --max-cid 200" \
        "--profiles v1 --mode U --max-cid 0"; do
        # shellcheck disable=SC2086
        "$oxbench" rohc c $agreed <packets >rohc && "$oxbench" rohc d $agreed --feedback-out feedback <rohc >back &&
            cmp -s packets back && [ "$(stat -c %s rohc)" -lt "$(stat -c %s packets)" ]
        ok $? "$flow comes back as it was, and was smaller between: $agreed"
    done
done

"$oxbench" rohc flows --write game-seq --packets 100 >packets
"$oxbench" rohc c --profiles v2 <packets >rohc
"$oxbench" rohc d --profiles v2 --feedback-out feedback <rohc >/dev/null
[ -s feedback ] && "$oxbench" rohc c --profiles v2 --feedback-in feedback <packets >answered &&
    [ "$(stat -c %s answered)" -lt "$(stat -c %s rohc)" ]
ok $? "feedback makes what follows it smaller"
head -c 50 packets | "$oxbench" rohc c >/dev/null 2>said
[ $? = 1 ] && grep -q 'within a record' said
ok $? "what is no record is said"

report=$("$oxbench" rohc bench --profiles v2 --packets 10000 --json)
ok $? "every packet of every flow comes out as it was"
holds() { jq -e "$1" <<<"$report" >/dev/null; }
holds '[.results[] | select(.flow | test("voice|game")) | .met != "short"] | length >= 5 and all'
ok $? "voice and games are within their bars" "$(jq -c '[.results[] | [.flow, .header_out_bytes]]' <<<"$report")"
holds '[.results[] | .sender_context_bytes <= 1024 and .receiver_context_bytes <= 1024] | all'
ok $? "a context takes at most 1 KB"

report=$("$oxbench" rohc channel --profiles v2 --packets 5000 --seeds 2 --json)
ok $? "no packet is wrong, on any channel"
holds '[.results[] | select((.flow | test("voice|game")) and (.channel == "loss" or .channel == "late")) | .refused] | all(. == 0)'
ok $? "loss takes nothing but what is lost, and lateness nothing"
[ "$report" = "$("$oxbench" rohc channel --profiles v2 --packets 5000 --seeds 2 --json)" ]
ok $? "it counts the same again"

"$oxbench" rohc c --profiles rtp,v2-rtp </dev/null >/dev/null 2>&1
[ $? = 64 ]
ok $? "profiles that exclude each other are wrong usage"
"$oxbench" rohc bench --only nonsense >/dev/null 2>&1
[ $? = 1 ]
ok $? "a flow that there is not is said with exit code 1"

finish
