-- How often something was asked for within a window of time, by a number, a phone or an address, of which only keyed hashes are kept.

CREATE TABLE attempt (
    -- What was asked for, and by what it is counted (domain/limit.rs).
    kind     smallint    NOT NULL,
    key      bytea       NOT NULL CHECK (octet_length(key) = 32),
    count    integer     NOT NULL,
    began_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON attempt TO %I', service);
    END IF;
END
$$;
