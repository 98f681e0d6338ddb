-- What it takes to lose, double and disorder nothing: stream positions, gaps, echoes, poison heads, early changes.

-- Synapse's stream ordering of an event, which our module adds to it; a room's lane is handled in this order.
ALTER TABLE inbox ADD COLUMN stream_position bigint;
DROP INDEX inbox_pending;
CREATE INDEX inbox_pending ON inbox (room_id, stream_position NULLS FIRST, inbox_id) WHERE handled_at IS NULL;

-- How far the homeserver's streams were compared with the inbox.
CREATE TABLE stream_positions (
  name text PRIMARY KEY CHECK (name IN ('events', 'receipts')),
  position bigint NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON stream_positions TO bitnexus_app;

ALTER TABLE lanes
  ADD COLUMN faults integer NOT NULL DEFAULT 0,    -- unexpected failures in a row of the lane's head
  ADD COLUMN error text,                           -- what its head failed with last
  ADD COLUMN holder integer;                       -- whose lease it is: the number of a process that shows itself by a lock

-- Who is next: the tenants with work are found by hopping through this, and of each the lane served longest ago.
DROP INDEX lanes_ready;
CREATE INDEX lanes_ready ON lanes (queue, coalesce(tenant_id, ''), served_at) WHERE pending > 0;

ALTER TABLE outbox
  ADD COLUMN failures integer NOT NULL DEFAULT 0,  -- attempts that the homeserver answered with a failure of its own
  ADD COLUMN delivery_id text,                     -- com.bitnexus.delivery_id: how our own event is recognised
  ADD COLUMN acknowledged_by text CHECK (acknowledged_by IN ('answer', 'echo', 'timeline'));
-- forced row-level security hides all rows from their owner, too
ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY;
UPDATE outbox SET delivery_id = content ->> 'com.bitnexus.delivery_id' WHERE state = 'pending' AND kind = 'send';
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE INDEX outbox_unacknowledged ON outbox (tenant_id, delivery_id)
  WHERE state IN ('pending', 'dead') AND delivery_id IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (tenant_id, outbox_id) WHERE state = 'dead';

-- The doctor and the metrics count across tenants; bodies, content, senders and event types stay out of their sight.
CREATE POLICY across_tenants ON outbox FOR SELECT TO bitnexus_system USING (true);
GRANT SELECT (outbox_id, tenant_id, room_id, kind, state, attempts, error, created_at, finished_at) ON outbox
  TO bitnexus_system;
GRANT SELECT (state, error, created_at, finished_at) ON jobs TO bitnexus_system;
GRANT SELECT (inbox_id, room_id, kind, stray, received_at, handled_at) ON inbox TO bitnexus_system;
GRANT SELECT (quarantine_id, error, received_at) ON quarantine TO bitnexus_system;
GRANT SELECT ON lanes, stream_positions TO bitnexus_system;
CREATE INDEX inbox_stray ON inbox (received_at) WHERE stray AND handled_at IS NULL;

-- What truly waits, by lane: lanes.pending is the same number, kept with each change. It shows what its reader may see.
CREATE VIEW lane_items WITH (security_invoker = true) AS
  SELECT 'inbox' AS queue, room_id AS lane_key, NULL AS tenant_id, count(*) AS items, min(received_at) AS since
    FROM inbox WHERE handled_at IS NULL AND NOT stray GROUP BY room_id
  UNION ALL SELECT 'outbox', room_id, tenant_id, count(*), min(created_at)
    FROM outbox WHERE state = 'pending' GROUP BY room_id, tenant_id
  UNION ALL SELECT 'reconcile', tenant_id, tenant_id, count(*), min(created_at)
    FROM jobs WHERE state IN ('queued', 'running') GROUP BY tenant_id;
GRANT SELECT ON lane_items TO bitnexus_app, bitnexus_system;

-- The order of messages is Synapse's, in whatever order they arrive.
ALTER TABLE chat_messages ALTER COLUMN position DROP IDENTITY;
ALTER TABLE room_state ADD COLUMN stream_position bigint;

-- Edits and redactions that came before what they change; they are applied, and forgotten, when it comes.
CREATE TABLE early_changes (
  event_id text PRIMARY KEY,
  tenant_id text NOT NULL,
  room_id text NOT NULL REFERENCES chat_rooms ON DELETE CASCADE,
  target_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('edit', 'redaction')),
  sender text NOT NULL,
  content jsonb NOT NULL,                          -- what the message shall say; {} for a redaction
  origin_server_ts bigint NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX early_changes_by_target ON early_changes (tenant_id, target_id);
CREATE INDEX early_changes_by_age ON early_changes (tenant_id, received_at);
ALTER TABLE early_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE early_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON early_changes TO bitnexus_app USING (tenant_id = current_tenant())
  WITH CHECK (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON early_changes TO bitnexus_app;
