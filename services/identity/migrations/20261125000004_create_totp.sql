-- Second factors of staff, and what a session needs for them. The secret is sealed under the person's key.

CREATE TABLE totp (
    person    uuid        PRIMARY KEY,
    secret    bytea       NOT NULL,
    -- Whether a first code has come.
    confirmed boolean     NOT NULL DEFAULT false,
    -- Steps of 30 seconds up to this one are used.
    last_step bigint      NOT NULL DEFAULT 0,
    failures  smallint    NOT NULL DEFAULT 0,
    tried_at  timestamptz NOT NULL
);

-- Sessions from before could begin with a code only.
ALTER TABLE session ADD COLUMN by_code boolean NOT NULL DEFAULT true;
-- When it has passed the second factor.
ALTER TABLE session ADD COLUMN passed_at timestamptz;

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON totp TO %I', service);
    END IF;
END
$$;
