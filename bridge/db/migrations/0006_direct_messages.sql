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

-- What stands in a person's account data about their direct chats is kept right by a task of theirs.

ALTER TABLE person_tasks DROP CONSTRAINT person_tasks_kind_check;
ALTER TABLE person_tasks ADD CONSTRAINT person_tasks_kind_check
  CHECK (kind IN ('standing', 'log_out', 'tenants', 'hold', 'erase', 'direct_list'));
