-- Rooms between people: who is in a room from outside its tenant, and rooms that nobody writes in any more.

ALTER TABLE tenant_rooms
  ADD COLUMN outsider_ids text[] NOT NULL DEFAULT '{}',  -- people of no membership here: partners', BitNexus's staff
  ADD COLUMN read_only boolean NOT NULL DEFAULT false;

-- What happened in a tenant, written in the transaction in which it happened; webhooks are fed from here.

CREATE TABLE tenant_events (
  event_row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL,
  type text NOT NULL,                              -- such as 'ticket.opened'
  subject text NOT NULL,                           -- the id of what it happened to
  room_key text,
  data jsonb NOT NULL DEFAULT '{}',                -- ids and states, no words of people
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenant_events_by_tenant ON tenant_events (tenant_id, event_row);
ALTER TABLE tenant_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_events FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenant_events TO bitnexus_app USING (tenant_id = current_tenant())
  WITH CHECK (tenant_id = current_tenant());
GRANT SELECT, INSERT, DELETE ON tenant_events TO bitnexus_app;
