-- The first tables. Run as the owner; the roles bitnexus_app and bitnexus_system exist (deploy/postgres-init.sql).
--
-- Tenant-owned tables have tenant_id NOT NULL under forced row-level security: the application's role sees the rows of
-- the tenant that its transaction names (set_config('bitnexus.tenant_id', ..., true)) and no others. The narrow role
-- bitnexus_system answers the few questions across tenants, column by column. Global tables are listed in
-- bridge/db/schema.py and held against the catalogue by a test.
--
-- In the chat_* tables user_id is the Matrix user id: they are a read model of Matrix, where strangers have no other.

CREATE FUNCTION current_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('bitnexus.tenant_id', true), '');

-- Global: people, credentials of people, and queues.

CREATE TABLE users (
  member_id text PRIMARY KEY,
  matrix_id text NOT NULL UNIQUE,
  display_name text NOT NULL,
  super_admin boolean NOT NULL DEFAULT false,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  registered boolean NOT NULL DEFAULT false,      -- exists in Synapse
  profile_name text,                              -- the display name that Synapse has
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
  session_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  token_sha256 bytea NOT NULL UNIQUE,
  member_id text NOT NULL REFERENCES users ON DELETE CASCADE,
  device_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_member ON sessions (member_id);

CREATE TABLE used_tokens (                         -- a signed token opens one session (its jti counts once)
  iss text NOT NULL,
  jti text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (iss, jti)
);

CREATE TABLE inbox (
  inbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id text NOT NULL UNIQUE,
  room_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('event', 'receipt')),
  body jsonb,                                      -- null once handled: the read model is the copy that obeys retention
  stray boolean NOT NULL DEFAULT false,            -- of a room that we do not know (yet)
  received_at timestamptz NOT NULL DEFAULT now(),
  handled_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX inbox_pending ON inbox (room_id, inbox_id) WHERE handled_at IS NULL;
CREATE INDEX inbox_handled ON inbox (handled_at) WHERE handled_at IS NOT NULL;

CREATE TABLE quarantine (
  quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  body text NOT NULL,
  error text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE lanes (                               -- ordered work: one lane per room and queue, or per tenant
  queue text NOT NULL CHECK (queue IN ('inbox', 'outbox', 'reconcile')),
  lane_key text NOT NULL,
  tenant_id text,                                  -- null while the room's tenant is not known
  pending integer NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,             -- failures in a row of the lane's head
  not_before timestamptz NOT NULL DEFAULT '-infinity',
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  fence bigint NOT NULL DEFAULT 0,
  served_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (queue, lane_key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX lanes_ready ON lanes (queue, served_at) WHERE pending > 0;

-- Tenant-owned.

CREATE TABLE tenants (
  tenant_id text PRIMARY KEY,
  name text NOT NULL,
  status text NOT NULL CHECK (status IN ('active', 'suspended', 'archived')),
  settings jsonb NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenant_rooms (                        -- desired rooms; what stands in Matrix is chat_rooms and room_state
  tenant_id text NOT NULL REFERENCES tenants,
  key text NOT NULL,
  position integer NOT NULL,
  type text NOT NULL CHECK (type IN ('general', 'announcement', 'support', 'dm', 'ai', 'alliance', 'custom')),
  name text NOT NULL,
  topic text NOT NULL DEFAULT '',
  access text NOT NULL CHECK (access IN ('tenant', 'invite')),
  optional boolean NOT NULL DEFAULT false,
  member_ids text[] NOT NULL DEFAULT '{}',         -- whom a room with access 'invite' lists
  personal boolean NOT NULL DEFAULT false,         -- made for a person on demand; not part of the tenant's own list
  archived boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, key)
);

CREATE TABLE memberships (
  tenant_id text NOT NULL REFERENCES tenants,
  member_id text NOT NULL REFERENCES users,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'guest')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, member_id)
);
CREATE INDEX memberships_by_member ON memberships (member_id);

CREATE TABLE chat_rooms (
  id text PRIMARY KEY,                             -- the Matrix room id
  tenant_id text NOT NULL REFERENCES tenants,
  key text NOT NULL,                               -- '@space' for the tenant's space
  name text NOT NULL DEFAULT '',
  type text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, key)
);

CREATE TABLE room_state (                          -- current state, kept from the inbox and from snapshots
  tenant_id text NOT NULL,
  room_id text NOT NULL REFERENCES chat_rooms ON DELETE CASCADE,
  event_type text NOT NULL,
  state_key text NOT NULL,
  event_id text NOT NULL,
  sender text NOT NULL,
  content jsonb NOT NULL,
  origin_server_ts bigint NOT NULL,                -- milliseconds; an older event never replaces a newer one
  PRIMARY KEY (room_id, event_type, state_key)
) WITH (fillfactor = 80);
CREATE INDEX room_state_by_tenant ON room_state (tenant_id);

CREATE TABLE chat_room_members (
  room_id text NOT NULL REFERENCES chat_rooms ON DELETE CASCADE,
  tenant_id text NOT NULL,
  user_id text NOT NULL,
  role text NOT NULL,
  membership text NOT NULL,
  display_name text,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (room_id, user_id)
);
CREATE INDEX chat_room_members_by_user ON chat_room_members (tenant_id, user_id);

CREATE TABLE chat_messages (
  id text PRIMARY KEY,                             -- the Matrix event id
  room_id text NOT NULL REFERENCES chat_rooms ON DELETE CASCADE,
  tenant_id text NOT NULL,
  user_id text NOT NULL,
  content jsonb NOT NULL,                          -- as last edited; {} once redacted
  metadata jsonb NOT NULL DEFAULT '{}',            -- event_type, thread, edited_at, redacted
  created_at timestamptz NOT NULL,
  edited_ts bigint,
  position bigint GENERATED ALWAYS AS IDENTITY     -- the order of arrival
);
CREATE INDEX chat_messages_by_room ON chat_messages (room_id, position DESC);

CREATE TABLE chat_message_reads (
  message_id text NOT NULL,
  room_id text NOT NULL REFERENCES chat_rooms ON DELETE CASCADE,
  tenant_id text NOT NULL,
  user_id text NOT NULL,
  read_at timestamptz NOT NULL,
  PRIMARY KEY (room_id, user_id)
);

CREATE TABLE outbox (
  outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants,
  room_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('send', 'answer')),
  sender text NOT NULL,
  event_type text NOT NULL,
  content jsonb NOT NULL,                          -- frozen before the first attempt
  nonce uuid NOT NULL DEFAULT gen_random_uuid(),   -- what txn ids are derived from, so that ids of a restored database differ
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  first_attempt_at timestamptz,
  event_id text,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX outbox_pending ON outbox (room_id, outbox_id) WHERE state = 'pending';

CREATE TABLE event_receipts (                      -- idempotency keys of POST /v1/events, kept seven days
  tenant_id text NOT NULL REFERENCES tenants,
  idempotency_key text NOT NULL,
  body_sha256 bytea NOT NULL,
  delivery_ids text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, idempotency_key)
);
CREATE INDEX event_receipts_by_age ON event_receipts (created_at);

CREATE TABLE deliveries (
  delivery_id text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants,
  key_id uuid NOT NULL,
  room_id text NOT NULL,
  room_key text NOT NULL,
  event_type text NOT NULL,
  outbox_id bigint NOT NULL REFERENCES outbox,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deliveries_by_outbox ON deliveries (outbox_id);

CREATE TABLE integration_keys (
  key_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id text NOT NULL REFERENCES tenants,
  name text NOT NULL,
  prefix text NOT NULL,
  secret_sha256 bytea NOT NULL UNIQUE,
  scopes text[] NOT NULL,
  room_keys text[],                                -- null: every room of the tenant
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

CREATE TABLE jobs (
  job_id uuid PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
  revision bigint NOT NULL,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE UNIQUE INDEX jobs_one_queued ON jobs (tenant_id) WHERE state = 'queued';
CREATE INDEX jobs_open ON jobs (tenant_id, created_at) WHERE state IN ('queued', 'running');

CREATE TABLE job_effects (
  job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
  tenant_id text NOT NULL,
  position integer NOT NULL,
  effect_id text NOT NULL,
  kind text NOT NULL,
  room_key text,
  room_id text,
  user_id text,                                    -- the Matrix user id
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
  error text,
  PRIMARY KEY (job_id, position)
);

-- The audit log: one hash chain per tenant ('*' is the platform's). Personal fields stand in the chain as salted
-- commitments; their values lie in audit_personal and can be erased without breaking the chain. No foreign keys.

CREATE TABLE audit_heads (
  tenant_id text PRIMARY KEY,
  seq bigint NOT NULL,
  hash bytea NOT NULL
);

CREATE TABLE audit_log (
  tenant_id text NOT NULL,
  seq bigint NOT NULL,
  entry text NOT NULL,                             -- canonical JSON (RFC 8785), the text that was hashed
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL,                             -- SHA-256 over previous_hash and the entry's UTF-8
  PRIMARY KEY (tenant_id, seq)
);

CREATE TABLE audit_personal (
  tenant_id text NOT NULL,
  seq bigint NOT NULL,
  field text NOT NULL,
  salt bytea NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (tenant_id, seq, field)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Row-level security and rights.

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['tenants', 'tenant_rooms', 'memberships', 'chat_rooms', 'room_state', 'chat_room_members',
      'chat_messages', 'chat_message_reads', 'outbox', 'event_receipts', 'deliveries', 'integration_keys', 'jobs',
      'job_effects', 'audit_heads', 'audit_log', 'audit_personal'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_tenant ON %I TO bitnexus_app USING (tenant_id = current_tenant()) '
                   'WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO bitnexus_app', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['tenants', 'memberships', 'chat_rooms', 'integration_keys', 'jobs'] LOOP
    EXECUTE format('CREATE POLICY across_tenants ON %I FOR SELECT TO bitnexus_system USING (true)', name);
  END LOOP;
END $$;

REVOKE UPDATE, DELETE ON audit_log FROM bitnexus_app;
REVOKE DELETE ON audit_heads, tenants FROM bitnexus_app;
REVOKE UPDATE ON audit_personal FROM bitnexus_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON users, sessions, used_tokens, inbox, quarantine, lanes TO bitnexus_app;
GRANT USAGE ON SCHEMA public TO bitnexus_app, bitnexus_system;
GRANT SELECT (tenant_id, name, status, settings, created_at) ON tenants TO bitnexus_system;
GRANT SELECT ON memberships TO bitnexus_system;
GRANT SELECT (id, tenant_id, key, type) ON chat_rooms TO bitnexus_system;
GRANT SELECT ON integration_keys TO bitnexus_system;
GRANT SELECT (job_id, tenant_id) ON jobs TO bitnexus_system;
