-- Recoveries that are under way, and links in mails. Whoever matches nothing has rows, too: the work is the same.

CREATE TABLE recovery (
    id          uuid        PRIMARY KEY,
    number_hash bytea       NOT NULL CHECK (octet_length(number_hash) = 32),
    -- Whose type, number and name these are; NULL where they are nobody's.
    person      uuid,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX recovery_oldest ON recovery (expires_at);

CREATE TABLE recovery_link (
    token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    person     uuid,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX recovery_link_oldest ON recovery_link (expires_at);
CREATE INDEX recovery_link_of_person ON recovery_link (person) WHERE used_at IS NULL;

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON recovery, recovery_link TO %I', service);
    END IF;
END
$$;
