#!/usr/bin/env bash
# Makes the secrets of compose.yaml in the folder secrets/ beside this file, each once: what is
# there already is kept. Run it before the first `docker compose up`, and again when a release
# brings a new target.
set -euo pipefail
umask 077

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/secrets
targets=(program partner enrollment application activity tier_evaluator relay projector query)
on_nats=(relay tier_evaluator enrollment projector)

random() { od -An -tx1 -N24 /dev/urandom | tr -d ' \n'; }

# once FILE TEXT: files are readable, because a container sees them under an account of its own;
# the folder is not, and a container sees only the files that are mounted into it.
once() {
    [ -e "$folder/$1" ] && return
    printf '%s\n' "$2" >"$folder/$1"
    chmod 444 "$folder/$1"
    printf 'made secrets/%s\n' "$1"
}

mkdir -p "$folder/local"
once postgres_password "$(random)"
once admin.url "postgres://tierline:$(cat "$folder/postgres_password")@postgres:5432/tierline?sslmode=disable"
for name in migrate "${targets[@]}"; do
    once "tl_$name.url" "postgres://tl_$name:$(random)@postgres:5432/tierline?sslmode=disable"
done
for name in "${on_nats[@]}"; do
    password=$(random)
    once "nats_$name.url" "nats://tl_$name:$password@nats-1:4222,nats://tl_$name:$password@nats-2:4222,nats://tl_$name:$password@nats-3:4222"
done
if [ ! -e "$folder/nats-passwords.conf" ]; then
    cluster=$(random)
    text=""
    for name in "${on_nats[@]}"; do
        password=$(sed "s/^nats:\/\/tl_$name:\([0-9a-f]*\)@.*/\1/" "$folder/nats_$name.url")
        text+="${name}_password: \"$password\""$'\n'
    done
    text+="admin_password: \"$(random)\""$'\n'
    text+="cluster_password: \"$cluster\""$'\n'
    text+="cluster_routes: ["$'\n'
    for node in 1 2 3; do text+="  \"nats://cluster:$cluster@nats-$node:6222\""$'\n'; done
    once nats-passwords.conf "$text]"
fi
once grafana_password "$(random)"
