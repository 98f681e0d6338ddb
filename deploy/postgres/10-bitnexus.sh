#!/bin/sh
# Make our roles and databases when the image sets up an empty volume; the passwords come from Docker's secret files.
set -eu

secret() { cat "${SECRETS_FOLDER:-/run/secrets}/$1"; }

BITNEXUS_OWNER_PASSWORD=$(secret bitnexus_owner_password)
BITNEXUS_APP_PASSWORD=$(secret bitnexus_app_password)
BITNEXUS_SYSTEM_PASSWORD=$(secret bitnexus_system_password)
SYNAPSE_PASSWORD=$(secret synapse_password)
export BITNEXUS_OWNER_PASSWORD BITNEXUS_APP_PASSWORD BITNEXUS_SYSTEM_PASSWORD SYNAPSE_PASSWORD

# a program of its own, so that nothing of it stays in the image's own shell, whether that runs or sources this file
psql --no-psqlrc --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --file "${INIT_SQL:-/usr/local/share/bitnexus/postgres-init.sql}"
unset BITNEXUS_OWNER_PASSWORD BITNEXUS_APP_PASSWORD BITNEXUS_SYSTEM_PASSWORD SYNAPSE_PASSWORD
