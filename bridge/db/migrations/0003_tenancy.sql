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
