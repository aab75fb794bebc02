#!/bin/sh
# Makes the secrets that compose.yaml names, once: what exists is left alone, and nothing is printed.
#
# Compose mounts such files with the owner and mode that they have here, and the containers are other users than you. So
# the files can be read by everybody, and the directory that holds them is closed to everybody but you.
set -eu
cd "$(dirname "$0")"
umask 022
mkdir -p secrets
chmod 700 secrets

keep() {
    [ -s "secrets/$1" ] || printf '%s\n' "$2" >"secrets/$1"
}

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

keep proxy.secret "$(random)"
keep postgres.secret "$(random)"
keep database-url.secret "postgresql://gateway:$(cat secrets/postgres.secret)@postgres/gateway"
