-- Desired state of tenants: pictures, groups of rooms, off-boarding.

ALTER TABLE tenants
  ADD COLUMN avatar_url text NOT NULL DEFAULT '',
  ADD COLUMN offboarded_at timestamptz,            -- when its off-boarding was asked for; null: it was not
  ADD COLUMN removes_at timestamptz,               -- when its time of grace ends
  DROP CONSTRAINT tenants_status_check,
  ADD CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended', 'archived', 'removing', 'removed'));
CREATE INDEX tenants_to_remove ON tenants (removes_at) WHERE removes_at IS NOT NULL AND status <> 'removed';
GRANT SELECT (removes_at) ON tenants TO bitnexus_system;

ALTER TABLE tenant_rooms
  ADD COLUMN avatar_url text NOT NULL DEFAULT '',
  ADD COLUMN group_name text NOT NULL DEFAULT '';  -- the sub-space that it stands in; '' for none

ALTER TABLE users
  ADD COLUMN avatar_url text NOT NULL DEFAULT '',
  ADD COLUMN profile_avatar text NOT NULL DEFAULT '';  -- the picture that Synapse has

-- The reconcile engine: what was written when, how often it was asked for, and how each tenant stands.

ALTER TABLE jobs
  ADD COLUMN verify boolean NOT NULL DEFAULT false, -- read every room first, whatever we believe to know of it
  ADD COLUMN asks integer NOT NULL DEFAULT 1;       -- how often a job that waits was asked for; a running one looks at it
CREATE INDEX jobs_by_age ON jobs (tenant_id, created_at);

ALTER TABLE job_effects
  ADD COLUMN subject text,                          -- which piece of state it writes, as a digest; null: none
  ADD COLUMN value text,                            -- what it writes there, as a digest
  ADD COLUMN made_at timestamptz;
CREATE INDEX job_effects_unmade_rooms ON job_effects (tenant_id, effect_id) WHERE kind = 'create_room' AND state <> 'done';

CREATE TABLE tenant_upkeep (                        -- how a tenant stands; without a row nothing of it was ever made
  tenant_id text PRIMARY KEY REFERENCES tenants,
  settled_revision bigint,                          -- the last one that stood in Matrix as a whole
  failures integer NOT NULL DEFAULT 0,              -- of reconciles, in a row
  retry_at timestamptz,                             -- null: nothing failed
  verified_at timestamptz NOT NULL DEFAULT now()    -- when all rooms were read last
);
CREATE INDEX tenant_upkeep_by_verification ON tenant_upkeep (verified_at);
ALTER TABLE tenant_upkeep ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_upkeep FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenant_upkeep TO bitnexus_app USING (tenant_id = current_tenant())
  WITH CHECK (tenant_id = current_tenant());
CREATE POLICY across_tenants ON tenant_upkeep FOR SELECT TO bitnexus_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_upkeep TO bitnexus_app;
GRANT SELECT ON tenant_upkeep TO bitnexus_system;
GRANT SELECT (revision, updated_at) ON tenants TO bitnexus_system;

-- Whether our bots have their power everywhere is a question across tenants: of a room's state, levels and version alone.
CREATE POLICY power_across_tenants ON room_state FOR SELECT TO bitnexus_system
  USING (event_type IN ('m.room.power_levels', 'm.room.create'));
CREATE POLICY bots_across_tenants ON chat_room_members FOR SELECT TO bitnexus_system USING (role = 'bot');
GRANT SELECT (room_id, event_type, state_key, content) ON room_state TO bitnexus_system;
GRANT SELECT (room_id, user_id, role, membership) ON chat_room_members TO bitnexus_system;
