-- Support tickets: what a person asks the tenant's own team, or BitNexus's staff, in a room of its own.

ALTER TABLE tenant_rooms ADD COLUMN audience text CHECK (audience IN ('team', 'bitnexus'));  -- of a ticket's room

CREATE TABLE tickets (
  tenant_id text NOT NULL REFERENCES tenants,
  ticket_id text NOT NULL,
  number integer NOT NULL,                         -- 1, 2, 3 ... in each tenant
  room_key text NOT NULL,
  subject text NOT NULL,                           -- empty once its opener is erased
  first_message text,                              -- until it is on its way into the room
  audience text NOT NULL CHECK (audience IN ('team', 'bitnexus')),
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'waiting', 'closed')),
  opener text NOT NULL,                            -- ids outlive people here, as in the audit log
  assignee text,
  opened_at timestamptz NOT NULL,
  first_reply_at timestamptz,
  waiting_since timestamptz,
  closed_at timestamptz,
  closed_by text,
  reopened integer NOT NULL DEFAULT 0,
  satisfaction integer CHECK (satisfaction BETWEEN 1 AND 5),
  question_id text,                                -- the delivery id of the closing question, which reactions answer
  body_sha256 bytea NOT NULL,                      -- of what opened it: the same once more opens no other
  revision integer NOT NULL DEFAULT 1,
  PRIMARY KEY (tenant_id, ticket_id),
  UNIQUE (tenant_id, number),
  UNIQUE (tenant_id, room_key)
);
CREATE INDEX tickets_by_status ON tickets (tenant_id, status, number);
CREATE INDEX tickets_by_opener ON tickets (tenant_id, opener, number);
CREATE INDEX tickets_of_staff ON tickets (opened_at, ticket_id) WHERE audience = 'bitnexus';
CREATE INDEX tickets_to_begin ON tickets (tenant_id) WHERE first_message IS NOT NULL;
ALTER TABLE tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tickets TO bitnexus_app USING (tenant_id = current_tenant())
  WITH CHECK (tenant_id = current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON tickets TO bitnexus_app;
-- the staff's queue across tenants: which tickets are theirs, and no words of them
CREATE POLICY staff_across_tenants ON tickets FOR SELECT TO bitnexus_system USING (audience = 'bitnexus');
GRANT SELECT (tenant_id, ticket_id, audience, status, assignee, opened_at) ON tickets TO bitnexus_system;

-- who is BitNexus's staff has changed: their tickets' rooms follow
ALTER TABLE person_tasks DROP CONSTRAINT person_tasks_kind_check;
ALTER TABLE person_tasks ADD CONSTRAINT person_tasks_kind_check
  CHECK (kind IN ('standing', 'log_out', 'tenants', 'hold', 'erase', 'direct_list', 'staff'));
