#!/bin/bash
# A relay, a client and a server on the relay's other side, in network namespaces of their own. TAP: run it with prove.
# OXIDIZE names the program.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
# shellcheck source=Tests/EndToEnd/tap.sh
. "$root/Tests/EndToEnd/tap.sh"
oxidize=$(find_oxidize "$root") || skip_all "there is no program yet: run make build, or set OXIDIZE"
[ "$(id -u)" -eq 0 ] || skip_all "needs root, to make network namespaces"
[ -c /dev/net/tun ] || skip_all "there is no /dev/net/tun"
for program in ip nft ping python3 sysctl; do
    command -v "$program" >/dev/null || skip_all "$program is not installed"
done
client=oxt-$$-client relay=oxt-$$-relay server=oxt-$$-server
ip netns add "$client" 2>/dev/null || skip_all "network namespaces cannot be made here"

scratch=$(mktemp -d) || exit 1
chmod 755 "$scratch"
pids=()
cleanup() {
    local pid
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    for namespace in "$client" "$relay" "$server"; do ip netns del "$namespace" 2>/dev/null; done
    rm -rf "$scratch" "/etc/netns/$client"
    rmdir /etc/netns 2>/dev/null
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
umask 077

# ---- the network -------------------------------------------------------------------------------------------------
#
#   client eth0 ---- eth0 relay eth1 ---- eth0 server
#   192.0.2.1        .2   198.51.100.1         .2        2001:db8:1::/64 and 2001:db8:2::/64 likewise
#
# The server has no route to the client: what reaches it came through the relay's NAT.

ip netns add "$relay"
ip netns add "$server"
link() { # NAMESPACE DEVICE IPV4 IPV6
    ip -n "$1" address add "$3" dev "$2"
    ip -n "$1" address add "$4" dev "$2" nodad
    ip -n "$1" link set "$2" up
}
ip link add eth0 netns "$client" type veth peer name eth0 netns "$relay"
ip link add eth1 netns "$relay" type veth peer name eth0 netns "$server"
for namespace in "$client" "$relay" "$server"; do ip -n "$namespace" link set lo up; done
link "$client" eth0 192.0.2.1/24 2001:db8:1::1/64
link "$relay" eth0 192.0.2.2/24 2001:db8:1::2/64
link "$relay" eth1 198.51.100.1/24 2001:db8:2::1/64
link "$server" eth0 198.51.100.2/24 2001:db8:2::2/64
ip -n "$client" route add default via 192.0.2.2
ip -n "$client" -6 route add default via 2001:db8:1::2
# Without a tunnel its inner addresses lead nowhere, and not to the relay by the default route.
ip -n "$client" route add prohibit 10.9.0.0/16
ip -n "$client" -6 route add prohibit fd09::/48

inside() { local namespace=$1; shift; ip netns exec "$namespace" "$@"; }
# One packet, so that a single loss shows. What is not repeated by `within` has more patience: -W 5, for stalls of the machine.
reaches() { inside "$1" ping -q -n -c 1 -W 1 "${@:2}" >/dev/null; }

# What a tunnel may change. Link-local and multicast routes come and go by themselves.
snapshot() {
    ip -n "$1" -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
    ip -n "$1" rule; ip -n "$1" -6 rule
    ip -n "$1" -4 route show table all
    ip -n "$1" -6 route show table all | grep -v -e ff00 -e fe80 | sed 's/ expires [0-9]*sec//'
    inside "$1" nft list ruleset
    inside "$1" sysctl net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.conf.all.src_valid_mark \
        net.ipv6.conf.all.forwarding net.ipv6.conf.eth0.accept_ra
}
unchanged() { # NAMESPACE
    snapshot "$1" >"$scratch/now"
    diff "$scratch/before-$1" "$scratch/now"
}

# ---- the programs ------------------------------------------------------------------------------------------------

for name in client relay stranger late; do
    "$oxidize" genkey >"$scratch/$name.key"
    "$oxidize" pubkey <"$scratch/$name.key" >"$scratch/$name.pub"
done
psk=$("$oxidize" genpsk)

relay_file() {
    cat <<EOF
[interface]
name = "oxr"
private-key = "$(cat "$scratch/relay.key")"
address = ["10.9.0.1/24", "fd09::1/64"]
[relay]
nat = ["eth1"]
[[peer]]
name = "laptop"
public-key = "$(cat "$scratch/client.pub")"
preshared-key = "$psk"
allowed-ips = ["10.9.0.2/32", "fd09::2/128"]
EOF
}
client_file() { # NAME KEY ENDPOINT NETWORKS
    cat <<EOF
[interface]
name = "$1"
private-key = "$(cat "$scratch/$2.key")"
address = ["10.9.0.2/24", "fd09::2/64"]
[[peer]]
name = "relay"
public-key = "$(cat "$scratch/relay.pub")"
preshared-key = "$psk"
endpoint = "$3"
allowed-ips = [$4]
EOF
}
networks='"10.9.0.0/24", "fd09::/64"'
relay_file >"$scratch/relay.toml"
client_file oxc client 192.0.2.2:51820 "$networks" >"$scratch/client.toml"
client_file oxc client "[2001:db8:1::2]:51820" "$networks" >"$scratch/client6.toml"
printf '[features]\nheader-compression = "off"\nrepair = "off"\n' >>"$scratch/client6.toml"
client_file oxc client 192.0.2.2:51820 '"0.0.0.0/0", "::/0"' >"$scratch/default.toml"
client_file oxs stranger 192.0.2.2:51820 '"10.77.0.0/24"' | sed 's/10.9.0.2/10.77.0.2/; s/fd09::2/fd77::2/' \
    >"$scratch/stranger.toml"

# start NAMESPACE ROLE FILE: its process number is then in $started.
start() {
    # Not by the function, whose subshell would be the process then.
    ip netns exec "$1" "$oxidize" "$2" "$3" --state-directory "$scratch/run-$1" --log-level debug >>"$scratch/$1.log" 2>&1 &
    started=$!
    pids+=("$started")
}
# end PID SIGNAL: waits for the process; its exit code is the result.
end() {
    kill -"${2:-TERM}" "$1"
    wait "$1" 2>/dev/null
}
status() { "$oxidize" show "$2" --json --state-directory "$scratch/run-$1"; }
# holds NAMESPACE NAME EXPRESSION: of Python; s is the status, p its first peer, q that peer's path.
holds() {
    status "$1" "$2" >"$scratch/status" 2>&1 && python3 - "$3" "$scratch/status" <<'PYTHON'
import json, sys
s = json.load(open(sys.argv[2])); p = s["peers"][0]; q = p["paths"][0]
if not eval("(" + sys.argv[1] + ")"): sys.exit(f"{sys.argv[1]} is false: {json.dumps(s)}")
PYTHON
}
connected() { holds "$1" "$2" 'p["state"] == "connected"' >/dev/null; }

snapshot "$client" >"$scratch/before-$client"
snapshot "$relay" >"$scratch/before-$relay"

# ---- first packets -----------------------------------------------------------------------------------------------

start "$relay" relay "$scratch/relay.toml"; relay_pid=$started
start "$client" client "$scratch/client.toml"; client_pid=$started
check "a client connects to its relay" within 20 connected "$client" oxc
check "IPv4 in IPv4" within 20 reaches "$client" 10.9.0.1
check "IPv6 in IPv4" within 20 reaches "$client" fd09::1
check "from the relay to the client" reaches "$relay" -W 5 10.9.0.2
check "a full packet with DF passes" reaches "$client" -W 5 -M "do" -s 1472 10.9.0.1

# transfer NAMESPACE: 8 MiB to a listener at the relay's inner address; both print a digest.
transfer() {
    inside "$relay" timeout 60 python3 - "$scratch/port" >"$scratch/received" <<'PYTHON' &
import hashlib, socket, sys
l = socket.create_server(("10.9.0.1", 0)); open(sys.argv[1], "w").write(str(l.getsockname()[1])); c, _ = l.accept()
h = hashlib.sha256()
while b := c.recv(1 << 16): h.update(b)
print(h.hexdigest())
PYTHON
    local receiver=$!
    within 20 test -s "$scratch/port" || return 1
    inside "$client" timeout 60 python3 - "$(cat "$scratch/port")" >"$scratch/sent" <<'PYTHON' || return 1
import hashlib, os, socket, sys
b = os.urandom(8 << 20); s = socket.create_connection(("10.9.0.1", int(sys.argv[1]))); s.sendall(b); s.close()
print(hashlib.sha256(b).hexdigest())
PYTHON
    wait "$receiver"
    rm "$scratch/port"
    cmp "$scratch/sent" "$scratch/received"
}
check "8 MiB of TCP arrive unchanged" transfer

shows() {
    holds "$client" oxc '
        s["role"] == "client" and p["encrypted"] and p["name"] == "relay" and p["preshared_key"]
        and 0 < q["rtt_ms"] < 1000 and q["rtt_variance_ms"] >= 0 and q["rtt_min_ms"] <= q["rtt_ms"] + 100
        and 0 <= q["loss_percent"] < 50 and 1200 <= q["mtu_bytes"] <= 1472 and q["remote_address"] == "192.0.2.2:51820"
        and p["packet_bytes_sent"] > 8 << 20 and p["last_handshake_ago_s"] >= 0 and isinstance(s["drops"], dict)'
}
dumps() {
    "$oxidize" show dump oxc --state-directory "$scratch/run-$client" >"$scratch/dump" &&
        [ "$(wc -l <"$scratch/dump")" -eq 1 ] && [ "$(tr -cd '\t' <"$scratch/dump" | wc -c)" -eq 16 ] &&
        [ "$(cut -f 1,2,10,11 <"$scratch/dump")" = "$(printf 'oxc\t%s\trelay\tconnected' "$(cat "$scratch/relay.pub")")" ]
}
at_client() { "$oxidize" "$@" --state-directory "$scratch/run-$client"; }
check "show --json has RTT, loss and MTU" shows
check "show is for people" prints 'path: RTT .* ± .* ms, least .*, loss .* %, MTU' at_client show
check "show without a name shows all" prints '^interface: oxc' at_client show
check "show dump has 17 columns" dumps
check "ping measures" prints '3 sent, 3 answered, 0.0 % lost' at_client ping oxc -c 3 -i 0.1
compresses() { # both IP versions: headers shrink, and all that was sent comes out at the other end
    inside "$client" ping -q -n -c 30 -i 0.02 -W 5 10.9.0.1 && inside "$client" ping -q -n -c 30 -i 0.02 -W 5 fd09::1 &&
        holds "$client" oxc '(h := q["headers"])["compressed"] > 40 and h["bytes_after"] * 2 < h["bytes_before"]' &&
        holds "$relay" oxr '(h := q["headers"])["restored"] > 40 and h["refused"] == 0'
}
check "headers cross compressed" compresses
check "show says so" prints 'headers: [0-9]* packets compressed from [0-9.]* to [0-9.]* bytes each' at_client show
check "show has the features of both ends" prints 'features: batch, split, train, repair, header-compression$' at_client show
check "ping of an unknown peer fails" exits 1 at_client ping oxc nobody -c 1
check "the control socket is root's alone" test "$(stat -c %a "$scratch/run-$client/oxc.sock")" = 600
refuses_garbage() {
    python3 - "$scratch/run-$client/oxc.sock" <<'PYTHON'
import socket, sys
for text in (b"\n", b"{}\n", b"\xff" * 5000, b'{"version":1,"command":"explode"}\n'):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(20); s.sendall(text)
    assert b'"error"' in s.recv(4096), text
PYTHON
}
check "malformed requests are answered by an error" refuses_garbage
check "a second tunnel of the same name is refused" exits 1 inside "$client" \
    "$oxidize" client "$scratch/client.toml" --state-directory "$scratch/run-$client"
check "and the first one goes on" reaches "$client" -W 5 10.9.0.1

# ---- strangers, reload, roaming ----------------------------------------------------------------------------------

start "$client" client "$scratch/stranger.toml"; stranger_pid=$started
meets_silence() {
    within 20 holds "$relay" oxr 's["drops"].get("handshake_stranger", 0) > 0' >/dev/null || holds "$relay" oxr False
    holds "$client" oxs 's["network"]["sent"] > 0 and s["network"]["received"] == 0 and p["state"] != "connected"'
}
check "a key that the relay does not know meets silence, and is counted" meets_silence
end "$stranger_pid"

reload_adds_a_peer() {
    ip netns exec "$client" ping -q -n -c 60 -i 0.05 10.9.0.1 >"$scratch/ping" &
    local pinging=$!
    sleep 1
    printf '[[peer]]\nname = "late"\npublic-key = "%s"\nallowed-ips = "10.9.0.3/32"\n' "$(cat "$scratch/late.pub")" \
        >>"$scratch/relay.toml"
    kill -HUP "$relay_pid"
    wait "$pinging"
    within 20 holds "$relay" oxr 'len(s["peers"]) == 2' && grep ' 0% packet loss' "$scratch/ping"
}
bad_reload_changes_nothing() {
    cp "$scratch/relay.toml" "$scratch/good"
    echo 'nonsense = true' >>"$scratch/relay.toml"
    kill -HUP "$relay_pid"
    within 20 grep -q "not reloaded.*relay.toml:" "$scratch/$relay.log" && holds "$relay" oxr 'len(s["peers"]) == 2'
    local outcome=$?
    cp "$scratch/good" "$scratch/relay.toml"
    return "$outcome"
}
check "SIGHUP adds a peer, and another one loses no packet" reload_adds_a_peer
check "a file with an error changes nothing, and the log says why" bad_reload_changes_nothing
check "the tunnel survived that" reaches "$client" -W 5 10.9.0.1

roams() {
    ip netns exec "$client" ping -q -n -c 40 -i 0.1 10.9.0.1 >"$scratch/ping" &
    local pinging=$!
    sleep 1
    ip -n "$client" address add 192.0.2.77/24 dev eth0
    ip -n "$client" address delete 192.0.2.1/24 dev eth0
    ip -n "$client" address add 192.0.2.77/24 dev eth0 2>/dev/null
    ip -n "$client" route replace default via 192.0.2.2
    wait "$pinging"
    cat "$scratch/ping"
    within 20 reaches "$client" 10.9.0.1 && holds "$relay" oxr 'q["remote_address"].startswith("192.0.2.77:")' &&
        [ "$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$scratch/ping")" -ge 30 ]
}
check "the tunnel follows a client whose address changes" roams
ip -n "$client" address add 192.0.2.1/24 dev eth0
ip -n "$client" address delete 192.0.2.77/24 dev eth0
ip -n "$client" address add 192.0.2.1/24 dev eth0 2>/dev/null
ip -n "$client" route replace default via 192.0.2.2
check "and back" within 20 reaches "$client" 10.9.0.1

mtu_shrinks() {
    ip -n "$client" link set eth0 mtu 1400 && ip -n "$relay" link set eth0 mtu 1400
    # A black hole is known by several losses in a row: they need packets.
    inside "$client" ping -q -n -i 0.05 -c 40 -W 1 -s 1472 10.9.0.1 >/dev/null
    inside "$relay" ping -q -n -i 0.05 -c 40 -W 1 -s 1472 10.9.0.2 >/dev/null
    within 20 reaches "$client" -M "do" -s 1472 10.9.0.1 && reaches "$relay" -W 5 -M "do" -s 1472 10.9.0.2
}
check "full packets with DF pass after the path has shrunk to 1400 bytes" mtu_shrinks

# ---- restarts ----------------------------------------------------------------------------------------------------

check "SIGTERM ends the relay with exit code 0" end "$relay_pid"
start_relay() { # from when it runs, the time of a recovery counts
    start "$relay" relay "$scratch/relay.toml"; relay_pid=$started
    within 20 holds "$relay" oxr True
}
check "the relay starts again" start_relay
check "a client recovers within 10 s when its relay was restarted" within 10 reaches "$client" 10.9.0.1
end "$relay_pid" KILL
check "the killed relay starts again" start_relay
check "and within 20 s when the relay had been killed" within 20 reaches "$client" 10.9.0.1

check "SIGTERM ends the client with exit code 0" end "$client_pid"
check "nothing of the client's is left" unchanged "$client"
start "$client" client "$scratch/client.toml"; client_pid=$started
# The second attempt comes after 500 ms. A stall of the machine brings it about as well, but not three times.
in_one_attempt() {
    local i
    for i in 1 2 3; do
        within 20 connected "$client" oxc && holds "$client" oxc 'p["handshake_ms"] < 500' && return
        end "$client_pid"
        start "$client" client "$scratch/client.toml"; client_pid=$started
    done
    return 1
}
check "a client that was started again connects at its first attempt" in_one_attempt
check "a new client's full packets with DF pass over 1400 bytes" \
    within 20 reaches "$client" -M "do" -s 1472 10.9.0.1
end "$client_pid" INT
ip -n "$client" link set eth0 mtu 1500
ip -n "$relay" link set eth0 mtu 1500

start "$client" client "$scratch/client6.toml"; client_pid=$started
check "IPv4 in IPv6" within 20 reaches "$client" 10.9.0.1
check "IPv6 in IPv6, a full packet" within 20 reaches "$client" -M "do" -s 1452 fd09::1
says_what_is_off() {
    holds "$client" oxc 'p["features"] == ["batch", "split", "train"] and p["features_off_there"] == [] and "headers" not in q' &&
        holds "$relay" oxr 'p["features_off_there"] == ["repair", "header-compression"]' &&
        prints 'features: batch, split, train; off at the other end: repair, header-compression$' \
            "$oxidize" show oxr --state-directory "$scratch/run-$relay"
}
check "show has what is off at the other end" says_what_is_off
check "the client stops on SIGINT" end "$client_pid" INT

# ---- the default route -------------------------------------------------------------------------------------------

check "without a tunnel the server is out of reach" exits 1 reaches "$client" 198.51.100.2
start "$client" client "$scratch/default.toml"; client_pid=$started
check "the default route through the tunnel, IPv4" within 20 reaches "$client" 198.51.100.2
check "the default route through the tunnel, IPv6" within 20 reaches "$client" 2001:db8:2::2
check "networks of the client's own stay reachable" reaches "$client" -W 5 192.0.2.2
carried() { holds "$client" oxc 'p["packets_received"] >= 2 and q["remote_address"] == "192.0.2.2:51820"'; }
check "the packets went through the tunnel" carried
end "$client_pid" KILL
check "a killed client's routing rules are still there" test -n "$(ip -n "$client" rule | grep fwmark)"
start "$client" client "$scratch/default.toml"; client_pid=$started
check "a client that was killed and started again works" within 20 reaches "$client" 198.51.100.2
check "and ends" end "$client_pid"
check "with nothing left behind" unchanged "$client"
start "$client" client "$scratch/default.toml"; client_pid=$started
within 20 reaches "$client" 198.51.100.2
end "$client_pid" KILL
check "down takes back what a killed client left" prints "process $client_pid had been killed; took back" \
    inside "$client" "$oxidize" down oxc --state-directory "$scratch/run-$client"
check "all of it" unchanged "$client"

# The name server is where only the default route leads, so that a question asked after the routes changed has no answer.
mkdir -p "/etc/netns/$client"
echo "nameserver 198.51.100.1" >"/etc/netns/$client/resolv.conf"
chmod 755 /etc/netns "/etc/netns/$client"
chmod 644 "/etc/netns/$client/resolv.conf"
serve_names() { # answers A questions for relay.test, and that there is no other name
    exec ip netns exec "$relay" python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("198.51.100.1", 53))
while True:
    q, peer = s.recvfrom(512)
    end = q.index(b"\0", 12) + 5
    known = q[12:end - 4] == b"\5relay\4test\0"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\2" if known and q[end - 4:end - 2] == b"\0\1" else b""
    flags = b"\x81\x80" if known else b"\x81\x83"
    s.sendto(q[:2] + flags + b"\0\1" + bytes([0, bool(answer)]) + bytes(4) + q[12:end] + answer, peer)'
}
serve_names &
names_pid=$!
pids+=("$names_pid")
client_file oxc client relay.test:51820 '"0.0.0.0/0", "::/0"' >"$scratch/named.toml"
client_file oxc client nowhere.test:51820 '"0.0.0.0/0", "::/0"' >"$scratch/unnamed.toml"
resolves() { inside "$client" python3 -c 'import socket; socket.getaddrinfo("relay.test", 1)'; }
check "the name server answers" within 20 resolves
start "$client" client "$scratch/named.toml"; client_pid=$started
check "the default route through a relay that has a name" within 20 reaches "$client" 198.51.100.2
finds_the_relay() { holds "$client" oxc 'p["endpoint"] == "relay.test:51820" and q["remote_address"] == "192.0.2.2:51820"'; }
check "show has the name, and the address that was found" finds_the_relay
end "$client_pid"
check "and nothing is left of that" unchanged "$client"
client_fails() {
    prints "find the address of nowhere.test.*default route" inside "$client" \
        "$oxidize" client "$scratch/unnamed.toml" --state-directory "$scratch/run-$client"
}
check "without an address the default route is not touched, and the client says why" client_fails
check "with nothing left behind" unchanged "$client"
kill "$names_pid"

# ---- up and down -------------------------------------------------------------------------------------------------

mkdir "$scratch/etc"
cp "$scratch/client.toml" "$scratch/etc/home.toml"
up() { inside "$client" "$oxidize" "$1" home --config-directory "$scratch/etc" --state-directory "$scratch/run-up"; }
check "up starts a tunnel in the background" up up
check "up of what is up fails" exits 1 up up
check "its packets pass" within 20 reaches "$client" 10.9.0.1
check "down stops it" up down
check "and nothing is left" within 20 unchanged "$client"
says_why() { # with an address that is refused
    sed 's/^address.*/address = "10.9.0.2\/24"\ntable = "off"\nlisten-port = 51820/' "$scratch/client.toml" \
        >"$scratch/etc/home.toml"
    ip netns exec "$client" python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::", 51820)); open(sys.argv[1], "w").write("held"); time.sleep(60)' \
        "$scratch/held" &
    local holder=$!
    within 20 test -s "$scratch/held" && prints 'address.*in use|Address already' up up
    local outcome=$?
    [ "$outcome" -eq 0 ] || up down
    kill "$holder"
    wait "$holder" 2>/dev/null
    return "$outcome"
}
check "up says why a tunnel does not come up" says_why
check "and nothing is left of that" within 20 unchanged "$client"

# ---- several workers ---------------------------------------------------------------------------------------------

several_file() { # the relay's, with a peer for each of its two workers and one more
    cat <<EOF
[interface]
name = "oxm"
private-key = "$(cat "$scratch/relay.key")"
address = ["10.9.11.1/24", "10.9.12.1/24", "10.9.13.1/24"]
listen-port = 51821
workers = 2
[relay]
EOF
    local i
    for i in 1 2 3; do
        printf '[[peer]]\npublic-key = "%s"\nallowed-ips = "10.9.1%d.2/32"\n' "$(cat "$scratch/many$i.pub")" "$i"
    done
}
many_file() { # NUMBER
    client_file "oxm$1" "many$1" 192.0.2.2:51821 "\"10.9.1$1.0/24\"" | grep -v preshared-key |
        sed "s/^address.*/address = \"10.9.1$1.2\/24\"/"
}
for i in 1 2 3; do
    "$oxidize" genkey >"$scratch/many$i.key"
    "$oxidize" pubkey <"$scratch/many$i.key" >"$scratch/many$i.pub"
    many_file "$i" >"$scratch/many$i.toml"
done
several_file >"$scratch/several.toml"
start "$relay" relay "$scratch/several.toml"; several_pid=$started
many_pids=()
for i in 1 2 3; do start "$client" client "$scratch/many$i.toml"; many_pids+=("$started"); done
several_connect() { # each client knows one of the relay's addresses
    local i
    for i in 1 2 3; do within 20 reaches "$client" "10.9.1$i.1" &&
            reaches "$relay" -W 5 -I "10.9.1$i.1" "10.9.1$i.2" || return 1; done
}
# Each client sends 4 MiB to the relay and gets them back, all at once, over several connections each.
several_transfer() {
    inside "$relay" timeout 60 python3 - "$scratch/port" <<'PYTHON' &
import socket, sys, threading
l = socket.create_server(("", 0), backlog=64); open(sys.argv[1], "w").write(str(l.getsockname()[1]))
def echo(c):
    while b := c.recv(1 << 16): c.sendall(b)
    c.close()
threads = [threading.Thread(target=echo, args=(l.accept()[0],)) for _ in range(12)]
for t in threads: t.start()
for t in threads: t.join()
PYTHON
    local receiver=$!
    within 20 test -s "$scratch/port" || return 1
    inside "$client" timeout 60 python3 - "$(cat "$scratch/port")" <<'PYTHON' || return 1
import hashlib, os, socket, sys, threading
data = os.urandom(1 << 20); same = []
def run(i):
    s = socket.create_connection((f"10.9.1{i}.1", int(sys.argv[1]))); got = bytearray()
    def read():
        while b := s.recv(1 << 16): got.extend(b)
    r = threading.Thread(target=read); r.start()
    s.sendall(data); s.shutdown(socket.SHUT_WR); r.join(); same.append(bytes(got) == data)
threads = [threading.Thread(target=run, args=(i,)) for i in (1, 2, 3) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
sys.exit(same != [True] * 12)
PYTHON
    wait "$receiver"
    rm "$scratch/port"
}
shows_workers() {
    holds "$relay" oxm '
        len(s["workers"]) == 2 and [w["peers"] for w in s["workers"]] == [2, 1]
        and all(w["network"]["received"] > 1000 and w["network"]["sent"] > 1000 for w in s["workers"])
        and not {"session_unknown", "handoff_full", "no_session"} & s["drops"].keys()'
}
# The kernel learns from what is written to the device which queue a flow is read from.
hands_little_over() {
    holds "$relay" oxm '
        sum(w["handed_over"] for w in s["workers"]) < 0.1 * sum(w["device"]["received"] for w in s["workers"])'
    local outcome=$?
    python3 -c 'import json, sys; s = json.load(open(sys.argv[1])); print("#", *((w["handed_over"], w["device"]["received"])
        for w in s["workers"]))' "$scratch/status"
    return "$outcome"
}
check "three clients connect to a relay of two workers" several_connect
check "4 MiB each way of each, over connections at once, arrive unchanged" several_transfer
check "both workers had their peers' datagrams" shows_workers
check "few packets were handed over" hands_little_over
check "show says how many workers there are" \
    prints 'workers: 2, on CPU .*NUMA' "$oxidize" show oxm --state-directory "$scratch/run-$relay"
check "the relay of two workers ends with exit code 0" end "$several_pid"
for pid in "${many_pids[@]}"; do end "$pid"; done

# ---- systemd and privileges ----------------------------------------------------------------------------------------

tells_systemd() {
    python3 - "$scratch/notify" >"$scratch/notified" <<'PYTHON' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); s.settimeout(60); text = ""
while "STOPPING" not in text: text = s.recv(4096).decode(); print(text, flush=True)
PYTHON
    local listener=$!
    within 20 test -S "$scratch/notify" || return 1
    NOTIFY_SOCKET=$scratch/notify start "$client" client "$scratch/client.toml"
    within 20 grep -q READY=1 "$scratch/notified" && kill -HUP "$started" &&
        within 20 grep -q RELOADING=1 "$scratch/notified" && end "$started" && wait "$listener" &&
        grep -q 'STATUS=client on oxc, 1 peer' "$scratch/notified" && grep -q STOPPING=1 "$scratch/notified"
}
check "systemd hears of the start, a reload and the end" tells_systemd

# Where only root may open /dev/net/tun, the program gets one that all may, as udev makes it.
if command -v setpriv >/dev/null && mknod -m 666 "$scratch/tun" c 10 200 2>/dev/null; then
    install -d -o 65534 -g 65534 "$scratch/run-nobody"
    install -m 755 "$oxidize" "$scratch/oxidize"
    install -m 600 -o 65534 -g 65534 "$scratch/default.toml" "$scratch/nobody.toml"
    ip netns exec "$client" bash -c 'mount --bind "$1/tun" /dev/net/tun && shift && exec "$@"' bash "$scratch" \
        setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+net_admin \
        --ambient-caps=-all,+net_admin --bounding-set=-all,+net_admin \
        "$scratch/oxidize" client "$scratch/nobody.toml" --state-directory "$scratch/run-nobody" \
        >"$scratch/nobody.log" 2>&1 &
    client_pid=$!
    pids+=("$client_pid")
    works() { within 20 reaches "$client" 198.51.100.2 || { cat "$scratch/nobody.log"; return 1; }; }
    check "CAP_NET_ADMIN alone is enough" works
    check "and ends" end "$client_pid"
    check "with nothing left behind" unchanged "$client"
else
    for name in "CAP_NET_ADMIN alone is enough" "and ends" "with nothing left behind"; do
        skip "$name" "setpriv or a device node is not to be had"
    done
fi

check "the relay ends with exit code 0" end "$relay_pid"
check "nothing of the relay's is left" unchanged "$relay"
finish
