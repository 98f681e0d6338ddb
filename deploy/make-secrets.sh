#!/bin/sh
# Make the secrets of a server as files, one secret a file: make-secrets.sh [FOLDER] [DATABASE_HOST:PORT]
# What is there is kept, so a second run is safe; the three database addresses follow from the passwords.
set -eu

folder=${1:-$(dirname "$0")/secrets}
database=${2:-postgres:5432}
umask 077
mkdir -p "$folder"

write() { # NAME: put standard input into a secret, in one step
  cat >"$folder/.$1.new"
  # the folder keeps other people of the machine out; in a container each file is read by a user of another number
  chmod 0444 "$folder/.$1.new"
  mv -f "$folder/.$1.new" "$folder/$1"
}

random() { # NAME: make a secret of 256 bits unless it is there
  [ -s "$folder/$1" ] || od -An -vtx1 -N32 /dev/urandom | tr -d ' \n' | write "$1"
}

address() { # NAME ROLE: write the address of the database for a role
  printf 'postgresql://%s:%s@%s/bitnexus' "$2" "$(cat "$folder/$2_password")" "$database" | write "$1"
}

for name in postgres_password bitnexus_owner_password bitnexus_app_password bitnexus_system_password synapse_password \
  appservice_as_token appservice_hs_token appservice_module_secret platform_key \
  synapse_macaroon_key synapse_form_secret n8n_encryption_key; do
  random "$name"
done
address database_url bitnexus_app
address database_system_url bitnexus_system
address database_migration_url bitnexus_owner
# the assistant's endpoint may want a key: write it into this file
[ -s "$folder/assistant_api_key" ] || printf 'none' | write assistant_api_key
echo "secrets are in $folder"
