#!/bin/bash
# The command line of `oxidize`, without a network. TAP: run it with prove. OXIDIZE names the program.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
# shellcheck source=Tests/EndToEnd/tap.sh
. "$root/Tests/EndToEnd/tap.sh"
oxidize=$(find_oxidize "$root") || skip_all "there is no program yet: run make build, or set OXIDIZE"
scratch=$(mktemp -d) || exit 1
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
umask 077

has_commands() {
    local word
    for word in genkey genpsk pubkey check relay client up down reload show ping demo; do
        "$oxidize" --help | grep -Eq "^ +$word " || { echo "no $word"; return 1; }
        "$oxidize" "$word" --help | grep -q "^USAGE: oxidize $word" || { echo "no help for $word"; return 1; }
    done
}
version_is_that_of_the_makefile() {
    [ "$("$oxidize" --version)" = "oxidize $(sed -n 's/^VERSION := //p' "$root/Makefile")" ]
}
check "help names every command, and every command has help" has_commands
check "the version is that of the Makefile" version_is_that_of_the_makefile
check "without a command there is help" prints '^USAGE: oxidize' "$oxidize"
check "a wrong command is a usage error" exits 64 "$oxidize" gnkey
check "a wrong command gets a suggestion" prints "did you mean 'genkey'" "$oxidize" gnkey
check "a wrong option is a usage error" exits 64 "$oxidize" show --jsn
check "a wrong option gets a suggestion" prints "Did you mean '--json'" "$oxidize" show --jsn
check "help for a wrong command is a usage error" exits 64 "$oxidize" help relod
check "and gets a suggestion" prints "did you mean 'reload'" "$oxidize" help relod
check "help for a command is its help" prints '^USAGE: oxidize show' "$oxidize" help show
check "a path in place of a name is a usage error" exits 64 "$oxidize" up ./relay
check "a file in place of a name is a usage error" exits 64 "$oxidize" up relay.toml
check "and the name that was meant is said" prints "'relay' for /etc/oxidize/relay.toml" "$oxidize" up ./relay.toml

# Keys.
is_key() { grep -Eqx '[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=' <<<"$1"; }
keys_are_keys() {
    local a b
    a=$("$oxidize" genkey) && b=$("$oxidize" genpsk) && is_key "$a" && is_key "$b" && [ "$a" != "$("$oxidize" genkey)" ]
}
clamped() {
    local first last
    first=$("$oxidize" genkey | base64 -d | od -An -tu1 -N1)
    last=$("$oxidize" genkey | base64 -d | od -An -tu1 -j31)
    [ $((first & 7)) -eq 0 ] && [ $((last & 192)) -eq 64 ]
}
known_key() {
    # RFC 7748 section 6.1, Alice.
    local private=dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=
    [ "$("$oxidize" pubkey <<<"$private")" = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= ]
}
warns_of_open_file() {
    (umask 022; "$oxidize" genkey 2>"$scratch/warning" >"$scratch/open") && grep -q umask "$scratch/warning"
}
does_not_warn() {
    "$oxidize" genkey 2>"$scratch/warning" >"$scratch/closed" && [ ! -s "$scratch/warning" ]
}
check "genkey and genpsk print keys" keys_are_keys
check "private keys are clamped" clamped
check "pubkey agrees with RFC 7748" known_key
if command -v wg >/dev/null; then
    agrees_with_wg() {
        local key
        key=$("$oxidize" genkey)
        [ "$("$oxidize" pubkey <<<"$key")" = "$(wg pubkey <<<"$key")" ]
    }
    check "pubkey agrees with wg" agrees_with_wg
else
    skip "pubkey agrees with wg" "wg is not installed"
fi
check "pubkey refuses what is no key" exits 1 "$oxidize" pubkey <<<"no key"
check "genkey warns of a file that everyone may read" warns_of_open_file
check "genkey does not warn of a private file" does_not_warn

# Configurations.
private=$("$oxidize" genkey)
public=$("$oxidize" genkey | "$oxidize" pubkey)
cat >"$scratch/good.toml" <<EOF
[interface]
private-key = "$private"
address = "10.9.0.2/24"
[[peer]]
public-key = "$public"
endpoint = "192.0.2.1:51820"
allowed-ips = "10.9.0.0/24"
EOF
cat >"$scratch/bad.toml" <<EOF
[interface]
private-key = "$private"
mtu = 9000
[[peer]]
public-key = "$public"
alowed-ips = "10.9.0.0/24"
endpoint = "192.0.2.1:51820"
EOF
both_errors() {
    "$oxidize" check "$scratch/bad.toml" 2>"$scratch/errors"
    grep -q "bad.toml:3: " "$scratch/errors" && grep -q "bad.toml:6: .*allowed-ips" "$scratch/errors" &&
        [ "$(wc -l <"$scratch/errors")" -eq 2 ] || { cat "$scratch/errors"; return 1; }
}
redacted() {
    "$oxidize" check --print "$scratch/good.toml" >"$scratch/printed" &&
        ! grep -qF "$private" "$scratch/printed" && grep -qx 'mtu = 1500' "$scratch/printed"
}
check "check says what a good file is" prints "good.toml: ok \(client, 1 peer\)" "$oxidize" check "$scratch/good.toml"
check "check fails for a bad file" exits 78 "$oxidize" check "$scratch/bad.toml"
check "check says all that is wrong, with lines" both_errors
check "check --print shows defaults and no secret" redacted
check "client refuses a bad file" exits 78 "$oxidize" client "$scratch/bad.toml" --state-directory "$scratch/run"
check "relay refuses a client's file" exits 78 "$oxidize" relay "$scratch/good.toml" --state-directory "$scratch/run"
check "up refuses a bad file" exits 78 \
    "$oxidize" up bad --config-directory "$scratch" --state-directory "$scratch/run"
check "a file that is not there is a configuration error" exits 78 "$oxidize" check "$scratch/nothing.toml"
check "and is named without a line" prints "^oxidize: '$scratch/nothing.toml' does not exist; " \
    "$oxidize" check "$scratch/nothing.toml"
sed "s|^public-key = .*|public-key = \"$("$oxidize" pubkey <<<"$private")\"|" "$scratch/good.toml" >"$scratch/self.toml"
check "a peer with this end's own key is a configuration error" exits 78 "$oxidize" check "$scratch/self.toml"
check "and its line is named" prints "self.toml:5: .* is this end's own" "$oxidize" check "$scratch/self.toml"

# Privileges.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    cp "$scratch/good.toml" "$scratch/nobody.toml"
    chown 65534:65534 "$scratch/nobody.toml"
    as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all)
    install -m 755 "$oxidize" "$scratch/oxidize"
    check "without the capability a client exits with 77" \
        exits 77 "${as_nobody[@]}" "$scratch/oxidize" client "$scratch/nobody.toml" --state-directory "$scratch/run"
    check "and says what it needs" prints CAP_NET_ADMIN \
        "${as_nobody[@]}" "$scratch/oxidize" client "$scratch/nobody.toml" --state-directory "$scratch/run"
    check "a configuration that may not be read is a matter of permission" \
        exits 77 "${as_nobody[@]}" "$scratch/oxidize" check "$scratch/good.toml"
    check "and that is said" prints "^oxidize: no permission to read '$scratch/good.toml'; run as root" \
        "${as_nobody[@]}" "$scratch/oxidize" check "$scratch/good.toml"
    mkdir -m 700 "$scratch/closed-directory"
    cp "$scratch/good.toml" "$scratch/closed-directory/"
    check "so is a directory that may not be entered" \
        exits 77 "${as_nobody[@]}" "$scratch/oxidize" check "$scratch/closed-directory/good.toml"
else
    skip "without the capability a client exits with 77" "needs root and setpriv"
    skip "and says what it needs" "needs root and setpriv"
    skip "a configuration that may not be read is a matter of permission" "needs root and setpriv"
    skip "and that is said" "needs root and setpriv"
    skip "so is a directory that may not be entered" "needs root and setpriv"
fi

# Where nothing runs.
check "show prints nothing where nothing runs" test -z "$("$oxidize" show --state-directory "$scratch/none" 2>&1)"
check "show --json is an array" test "$("$oxidize" show --json --state-directory "$scratch/none" | tr -d ' \n')" = "[]"
check "show of a tunnel that does not run fails" exits 1 "$oxidize" show ox9 --state-directory "$scratch/none"
check "down of a tunnel that does not run fails" exits 1 "$oxidize" down ox9 --state-directory "$scratch/none"
check "ping of a tunnel that does not run fails" exits 1 "$oxidize" ping ox9 --state-directory "$scratch/none"
check "ping takes -c1 and -i0.2 in one word" exits 1 "$oxidize" ping -c1 -i0.2 ox9 --state-directory "$scratch/none"
check "reload of a tunnel that does not run fails" exits 1 "$oxidize" reload ox9 --state-directory "$scratch/none"

# A process that was killed. Nobody has so high a number, and it left nothing to take back.
mkdir -p "$scratch/killed"
printf '{"owner":{"namespace":"%s","process":99999999,"startTicks":1},"undo":[]}' "$(readlink /proc/self/ns/net)" \
    >"$scratch/killed/ox8.journal"
check "down says that the process had been killed" prints "process 99999999 had been killed; took back the 0 changes" \
    "$oxidize" down ox8 --state-directory "$scratch/killed"
check "and then nothing is left of it" test ! -e "$scratch/killed/ox8.journal"
check "so that a second one fails" exits 1 "$oxidize" down ox8 --state-directory "$scratch/killed"

completes() {
    local shell
    for shell in bash zsh fish; do "$oxidize" --generate-completion-script "$shell" | grep -q genkey || return 1; done
    "$oxidize" --generate-completion-script bash | bash -n
}
hands_over() {
    printf '#!/bin/sh\necho "oxbench $*"\n' >"$scratch/oxbench"
    chmod 755 "$scratch/oxbench"
    local here=$scratch/beside
    mkdir -p "$here" && cp "$oxidize" "$here/oxidize"
    [ "$(PATH=$scratch:$PATH "$here/oxidize" demo)" = "oxbench demo" ]
}
check "there are completions for bash, zsh and fish" completes
check "demo hands over to oxbench" hands_over
finish
