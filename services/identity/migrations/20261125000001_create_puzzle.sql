-- Slider puzzles that wait for their answer: an answered one is removed. No number is in them, only its keyed hash.

CREATE TABLE puzzle (
    id          uuid        PRIMARY KEY,
    number_hash bytea       NOT NULL CHECK (octet_length(number_hash) = 32),
    -- Where the piece belongs, in pixels from the left edge.
    gap         smallint    NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX puzzle_oldest ON puzzle (expires_at);

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON puzzle TO %I', service);
    END IF;
END
$$;
