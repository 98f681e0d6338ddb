-- Direct chats: whom people block, whatever tenants they share.

CREATE TABLE blocks (
  member_id text NOT NULL REFERENCES users ON DELETE CASCADE,
  blocked_member_id text NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (member_id, blocked_member_id),
  CHECK (member_id <> blocked_member_id)
);
CREATE INDEX blocks_by_blocked ON blocks (blocked_member_id);
GRANT SELECT, INSERT, DELETE ON blocks TO bitnexus_app;
