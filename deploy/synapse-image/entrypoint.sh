#!/bin/sh
# Start Synapse with homeserver.yaml and with what `bitnexus-chat registration` wrote; make its signing key once.
set -eu
umask 077

# PostgreSQL's client takes passwords from a file of its own form, readable by its owner alone
printf '*:*:synapse:synapse:%s\n' "$(cat /run/secrets/synapse_password)" >"$PGPASSFILE"

set -- -m synapse.app.homeserver -c /etc/synapse/homeserver.yaml -c /srv/synapse/bitnexus.yaml
python "$@" --generate-keys
exec python "$@"
