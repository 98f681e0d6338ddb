-- Alliances: a room that two tenants share. The one table family whose rows two tenants see, and nobody else.

CREATE TABLE alliances (
  alliance_id text PRIMARY KEY,
  tenant_id text NOT NULL,                         -- the owner's: it proposes, and the room is among its rooms
  partner_tenant_id text NOT NULL,                 -- no foreign key: who proposes learns nothing of who is there
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('proposed', 'active', 'suspended', 'ended')),
  suspended_by text[] NOT NULL DEFAULT '{}',       -- the sides that have suspended it; each takes back its own word alone
  accepted_at timestamptz,
  ended_at timestamptz,
  ended_by_tenant text,
  revision bigint NOT NULL,
  CHECK (tenant_id <> partner_tenant_id),
  CHECK ((state = 'suspended') = (suspended_by <> '{}')),
  CHECK ((state = 'ended') = (ended_by_tenant IS NOT NULL))
);
CREATE INDEX alliances_by_owner ON alliances (tenant_id, alliance_id);
CREATE INDEX alliances_by_partner ON alliances (partner_tenant_id, alliance_id);

CREATE TABLE alliance_members (                    -- whom each side has chosen
  alliance_id text NOT NULL REFERENCES alliances,
  tenant_id text NOT NULL,                         -- the side
  member_id text NOT NULL REFERENCES users ON DELETE CASCADE,
  PRIMARY KEY (alliance_id, tenant_id, member_id)
);
CREATE INDEX alliance_members_by_member ON alliance_members (member_id);

CREATE TABLE alliance_steps (                      -- what one side did, until the other side's own records tell of it
  alliance_id text NOT NULL REFERENCES alliances,
  revision bigint NOT NULL,                        -- the alliance's, after it
  tenant_id text NOT NULL,                         -- the side that spoke
  step text NOT NULL CHECK (step IN ('proposed', 'accepted', 'suspended', 'resumed', 'ended')),
  told_at timestamptz,                             -- when it came into the other side's audit log and events
  PRIMARY KEY (alliance_id, revision)
);
CREATE INDEX alliance_steps_untold ON alliance_steps (alliance_id) WHERE told_at IS NULL;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['alliances', 'alliance_members', 'alliance_steps'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
  END LOOP;
END $$;

-- Both sides see the alliance; the owner alone makes it. Who its sides are is nobody's to change: see the grants.
CREATE POLICY seen_by_both_sides ON alliances FOR SELECT TO bitnexus_app
  USING (current_tenant() IN (tenant_id, partner_tenant_id));
CREATE POLICY made_by_its_owner ON alliances FOR INSERT TO bitnexus_app WITH CHECK (tenant_id = current_tenant());
CREATE POLICY changed_by_both_sides ON alliances FOR UPDATE TO bitnexus_app
  USING (current_tenant() IN (tenant_id, partner_tenant_id))
  WITH CHECK (current_tenant() IN (tenant_id, partner_tenant_id));

-- Whoever sees the alliance sees whom both sides have chosen; each side writes its own people.
-- The question about alliances is asked under their own policies: another tenant's rows are not there.
CREATE POLICY seen_by_both_sides ON alliance_members FOR SELECT TO bitnexus_app
  USING (EXISTS (SELECT FROM alliances a WHERE a.alliance_id = alliance_members.alliance_id));
CREATE POLICY chosen_by_own_side ON alliance_members FOR INSERT TO bitnexus_app
  WITH CHECK (tenant_id = current_tenant()
    AND EXISTS (SELECT FROM alliances a WHERE a.alliance_id = alliance_members.alliance_id));
CREATE POLICY dropped_by_own_side ON alliance_members FOR DELETE TO bitnexus_app USING (tenant_id = current_tenant());

-- A step is written by the side that takes it, and marked as told by the other one.
CREATE POLICY seen_by_both_sides ON alliance_steps FOR SELECT TO bitnexus_app
  USING (EXISTS (SELECT FROM alliances a WHERE a.alliance_id = alliance_steps.alliance_id));
CREATE POLICY taken_by_own_side ON alliance_steps FOR INSERT TO bitnexus_app
  WITH CHECK (tenant_id = current_tenant()
    AND EXISTS (SELECT FROM alliances a WHERE a.alliance_id = alliance_steps.alliance_id));
CREATE POLICY told_by_other_side ON alliance_steps FOR UPDATE TO bitnexus_app
  USING (tenant_id <> current_tenant()
    AND EXISTS (SELECT FROM alliances a WHERE a.alliance_id = alliance_steps.alliance_id));

GRANT SELECT, INSERT ON alliances, alliance_steps TO bitnexus_app;
GRANT UPDATE (name, state, suspended_by, accepted_at, ended_at, ended_by_tenant, revision) ON alliances TO bitnexus_app;
GRANT UPDATE (told_at) ON alliance_steps TO bitnexus_app;
GRANT SELECT, INSERT, DELETE ON alliance_members TO bitnexus_app;

-- What policies cannot say, because it compares the row before with the row after.
CREATE FUNCTION guard_alliance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'ended' THEN
    RAISE insufficient_privilege USING MESSAGE = 'an alliance that has ended stays as it is';
  END IF;
  IF NEW.name <> OLD.name AND current_tenant() <> OLD.tenant_id THEN
    RAISE insufficient_privilege USING MESSAGE = 'only the owner names an alliance';
  END IF;
  IF OLD.state = 'proposed' AND NEW.state IN ('active', 'suspended') AND current_tenant() <> OLD.partner_tenant_id THEN
    RAISE insufficient_privilege USING MESSAGE = 'only the partner accepts an alliance';
  END IF;
  IF OLD.state <> 'proposed' AND NEW.state = 'proposed' THEN
    RAISE insufficient_privilege USING MESSAGE = 'an alliance is proposed once';
  END IF;
  IF (NEW.suspended_by @> ARRAY[OLD.tenant_id] <> OLD.suspended_by @> ARRAY[OLD.tenant_id]
        AND current_tenant() <> OLD.tenant_id
      OR NEW.suspended_by @> ARRAY[OLD.partner_tenant_id] <> OLD.suspended_by @> ARRAY[OLD.partner_tenant_id]
        AND current_tenant() <> OLD.partner_tenant_id) AND NEW.state <> 'ended' THEN
    RAISE insufficient_privilege USING MESSAGE = 'each side suspends and resumes for itself';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER alliances_guard BEFORE UPDATE ON alliances FOR EACH ROW EXECUTE FUNCTION guard_alliance();

-- Which tenants an alliance joins, and who of a tenant may be in a room of another one, are questions across tenants.
CREATE POLICY across_tenants ON alliances FOR SELECT TO bitnexus_system USING (true);
CREATE POLICY across_tenants ON alliance_members FOR SELECT TO bitnexus_system USING (true);
GRANT SELECT (alliance_id, tenant_id, partner_tenant_id, state) ON alliances TO bitnexus_system;
GRANT SELECT ON alliance_members TO bitnexus_system;

-- What has become of one side reaches the other: an item is an alliance to be looked at, in a lane of its tenant ('&').
ALTER TABLE person_tasks
  ALTER COLUMN member_id DROP NOT NULL,
  ADD COLUMN alliance_id text,
  DROP CONSTRAINT person_tasks_kind_check,
  ADD CONSTRAINT person_tasks_kind_check
    CHECK (kind IN ('standing', 'log_out', 'tenants', 'hold', 'erase', 'direct_list', 'staff', 'alliance')),
  ADD CONSTRAINT person_tasks_subject CHECK ((kind = 'alliance') = (alliance_id IS NOT NULL)
    AND (kind = 'alliance') = (member_id IS NULL));
