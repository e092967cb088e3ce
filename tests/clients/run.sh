#!/usr/bin/env bash
# Starts a server of its own on free ports and lets a foreign client use it.
# PYTHON: an interpreter that has the packages of requirements.txt. TIERLINE: the program to test.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}
tierline=${TIERLINE:-$root/target/debug/tierline}
data=$(mktemp -d)
chmod 711 "$data"
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$data"
}
trap finish EXIT
"$tierline" up --no-demo --data-dir "$data/tierline" --listen 127.0.0.1:0 \
    --admin-listen 127.0.0.1:0 >"$data/log" 2>&1 &
server=$!
for _ in $(seq 300); do
    [ -f "$data/tierline/client.toml" ] && grep -q 'Ctrl-C' "$data/log" && break
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$data/log"
        exit 1
    fi
    sleep 0.2
done
address=$(sed -n "s/^address = ['\"]http:\/\/\([^'\"]*\)['\"]\$/\1/p" "$data/tierline/client.toml")
"$python" "$here/loop.py" "$address" "$data/tierline/tokens/demo-admin" \
    "$root/programs/three-tier-revenue.yaml" || { tail -20 "$data/log"; exit 1; }
