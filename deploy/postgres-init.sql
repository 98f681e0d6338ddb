-- Roles and databases of BitNexus Chat and of its Synapse; no tables (those come by `bitnexus-chat migrate`).
--
-- Run by psql as a superuser, as often as you like: what stands is kept, passwords are set anew. They come from the
-- environment, never from the command line, where other users of the machine would see them:
--   BITNEXUS_OWNER_PASSWORD BITNEXUS_APP_PASSWORD BITNEXUS_SYSTEM_PASSWORD SYNAPSE_PASSWORD
-- Works as a file in /docker-entrypoint-initdb.d of the official image, too.

\set ON_ERROR_STOP on
\set QUIET on
-- nothing of this may reach the server's log, whatever it is set to log
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;

\set bitnexus_owner_password ''
\set bitnexus_app_password ''
\set bitnexus_system_password ''
\set synapse_password ''
\getenv bitnexus_owner_password BITNEXUS_OWNER_PASSWORD
\getenv bitnexus_app_password BITNEXUS_APP_PASSWORD
\getenv bitnexus_system_password BITNEXUS_SYSTEM_PASSWORD
\getenv synapse_password SYNAPSE_PASSWORD

CREATE TEMPORARY TABLE wanted_roles (name text PRIMARY KEY, password text NOT NULL);
INSERT INTO wanted_roles VALUES
  ('bitnexus_owner', :'bitnexus_owner_password'),    -- owns the database and its tables; migrations run as it
  ('bitnexus_app', :'bitnexus_app_password'),        -- the bridge; sees one tenant at a time (row-level security)
  ('bitnexus_system', :'bitnexus_system_password'),  -- the bridge's few questions across tenants
  ('synapse', :'synapse_password');

DO $$
DECLARE missing text;
BEGIN
  SELECT string_agg(upper(name) || '_PASSWORD', ', ' ORDER BY name) INTO missing FROM wanted_roles WHERE password = '';
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION 'set these in the environment of psql: %', missing;
  END IF;
END $$;

SELECT format('CREATE ROLE %I', name) FROM wanted_roles
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- NOBYPASSRLS is said aloud: a role that once had it would see every tenant
SELECT format(
  'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT PASSWORD %L', name, password)
FROM wanted_roles \gexec

SELECT 'CREATE DATABASE bitnexus OWNER bitnexus_owner TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C'' LC_CTYPE ''C'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'bitnexus') \gexec

-- Synapse insists on LC_COLLATE and LC_CTYPE C
SELECT 'CREATE DATABASE synapse OWNER synapse TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C'' LC_CTYPE ''C'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'synapse') \gexec

DROP TABLE wanted_roles;

-- neither reaches into the other's database
REVOKE ALL ON DATABASE bitnexus FROM PUBLIC;
REVOKE ALL ON DATABASE synapse FROM PUBLIC;
GRANT CONNECT ON DATABASE bitnexus TO bitnexus_app, bitnexus_system;

\connect bitnexus
SET log_statement = 'none';
ALTER SCHEMA public OWNER TO bitnexus_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO bitnexus_app, bitnexus_system;
