-- Life cycle: who may use their account, and what Synapse has yet to be told of people.

CREATE TABLE standings (                           -- without a row: never expired, no sessions ended
  member_id text PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  expired boolean NOT NULL DEFAULT false,          -- what our module in Synapse was told last
  sessions_epoch bigint NOT NULL DEFAULT 0         -- grows when all sessions are ended: those of an earlier one are void
);

ALTER TABLE sessions ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

CREATE TABLE person_tasks (                        -- items of the queue 'people'; a finished one is deleted
  task_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lane_key text NOT NULL,                          -- '!' and the tenant for standings, the person for everything else
  member_id text NOT NULL,
  tenant_id text,                                  -- whose act it came from, so that tenants take turns
  kind text NOT NULL CHECK (kind IN ('standing', 'log_out', 'tenants', 'hold', 'erase')),
  created_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX person_tasks_by_lane ON person_tasks (lane_key, task_id);
CREATE INDEX person_tasks_by_member ON person_tasks (member_id);

ALTER TABLE lanes
  DROP CONSTRAINT lanes_queue_check,
  ADD CONSTRAINT lanes_queue_check CHECK (queue IN ('inbox', 'outbox', 'reconcile', 'people'));

CREATE OR REPLACE VIEW lane_items WITH (security_invoker = true) AS
  SELECT 'inbox' AS queue, room_id AS lane_key, NULL AS tenant_id, count(*) AS items, min(received_at) AS since
    FROM inbox WHERE handled_at IS NULL AND NOT stray GROUP BY room_id
  UNION ALL SELECT 'outbox', room_id, tenant_id, count(*), min(created_at)
    FROM outbox WHERE state = 'pending' GROUP BY room_id, tenant_id
  UNION ALL SELECT 'reconcile', tenant_id, tenant_id, count(*), min(created_at)
    FROM jobs WHERE state IN ('queued', 'running') GROUP BY tenant_id
  UNION ALL SELECT 'people', lane_key, NULL, count(*), min(created_at) FROM person_tasks GROUP BY lane_key;

GRANT SELECT, INSERT, UPDATE, DELETE ON standings, person_tasks TO bitnexus_app;
-- Whether a person may use anything is a question across tenants, asked at each use of a session.
GRANT SELECT ON standings TO bitnexus_system;
GRANT SELECT (member_id, matrix_id, super_admin, status, registered) ON users TO bitnexus_system;
GRANT SELECT (session_id, token_sha256, member_id, device_id, expires_at, epoch) ON sessions TO bitnexus_system;
GRANT SELECT (task_id, lane_key, member_id, created_at) ON person_tasks TO bitnexus_system;

-- Erasure of people. What is left of one is its receipt: ids without names, and counts.
CREATE TABLE erasures (
  receipt_id text PRIMARY KEY,
  member_id text NOT NULL,                         -- no foreign key: it outlives the person
  matrix_id text NOT NULL,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
  step text NOT NULL DEFAULT 'leave' CHECK (step IN ('leave', 'content', 'account', 'redact', 'finish')),
  position text NOT NULL DEFAULT '',               -- how far the step is: the last tenant, or a place in a room's timeline
  rooms jsonb NOT NULL DEFAULT '[]',               -- where events are to be redacted still
  counts jsonb NOT NULL DEFAULT '{}',
  asked_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX erasures_by_member ON erasures (member_id, asked_at);
GRANT SELECT, INSERT, UPDATE ON erasures TO bitnexus_app;

CREATE INDEX chat_messages_by_user ON chat_messages (tenant_id, user_id);
