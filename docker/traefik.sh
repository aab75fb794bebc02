#!/bin/sh
# Starts Traefik in its container with the files of config/proxies/traefik as they are (the working directory).
#
# Two things are different in a container. Traefik must listen on every address of it, and its static configuration
# knows no variables, so a copy is made in which only the address is replaced. And the secret comes as a file, while
# dynamic.yaml reads it from the environment: that of this one process.
set -eu
sed 's|address: "127.0.0.1:8080"|address: ":8080"|' traefik.yaml >/tmp/traefik.yaml
GATEWAY_PROXY_SECRET=$(cat /run/secrets/proxy_secret)
export GATEWAY_PROXY_SECRET
exec traefik --configFile=/tmp/traefik.yaml
