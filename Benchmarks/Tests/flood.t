#!/usr/bin/env bash
# The flood of forged initiations, briefly: that it is measured, and that nothing is left. TAP, for prove(1).
#
#   OXBENCH   the program to test; default: build/bin/oxbench of the tree that this file is in
#   OXIDIZE   the program that it measures; default: the oxidize beside it
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
oxbench=${OXBENCH:-$here/../../build/bin/oxbench}
oxidize=${OXIDIZE:-$(dirname "$oxbench")/oxidize}

# shellcheck source=Tests/EndToEnd/tap.sh
. "$here/../../Tests/EndToEnd/tap.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, for network namespaces"
[ -c /dev/net/tun ] || skip_all "needs /dev/net/tun: modprobe tun"
for tool in ip jq nsenter unshare; do
    command -v "$tool" >/dev/null || skip_all "needs $tool"
done
for program in "$oxbench" "$oxidize"; do
    [ -x "$program" ] || skip_all "needs $program: make build, or set OXBENCH and OXIDIZE"
done
unshare --net --mount --pid --fork -- true 2>/dev/null || skip_all "cannot make namespaces here"

report=$("$oxbench" flood --seconds 2 --no-tcp --oxidize "$oxidize" --json)
ok $? "a flood is measured"
holds() { jq -e ".results[0] | $1" <<<"$report" >/dev/null; }
figure() { jq -r ".results[0].$1" <<<"$report"; }

holds '.quiet_delivered_packets > 0 and .flooded_delivered_packets > 0 and .ratio_percent > 0'
ok $? "the flow arrived without and with it" "ratio $(figure ratio_percent) %"
holds '.flood_datagrams > 1000'
ok $? "the attacker attacked" "$(figure flood_datagrams_per_s) datagrams a second"
holds '.relay_drop_handshake_mac1_packets > 0 and .relay_drop_handshake_cookie_sent_packets > 0'
ok $? "forged ones were dropped under their names"
holds '.memory_pass'
ok $? "the relay's memory did not grow" "$(figure relay_rss_before_bytes) then $(figure relay_rss_after_bytes) bytes"
"$oxbench" flood --seconds 2 --oxidize /nonexistent >/dev/null 2>&1
[ $? = 1 ]
ok $? "what cannot be measured is said with exit code 1"
"$oxbench" flood --spoof-ports 0 >/dev/null 2>&1
[ $? = 64 ]
ok $? "wrong usage is said with exit code 64"

finish
