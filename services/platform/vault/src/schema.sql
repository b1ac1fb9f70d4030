-- Keys of people, wrapped by the service's master key. A destroyed key leaves its row, so that no new one is made.
CREATE TABLE IF NOT EXISTS person_key (
    person       uuid PRIMARY KEY,
    wrapped      bytea,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
-- Which master key wrapped it; unknown of keys from before master keys had names.
ALTER TABLE person_key ADD COLUMN IF NOT EXISTS master text;
-- The secret behind keyed hashes, wrapped like a person's key: a new master key must not change them.
CREATE TABLE IF NOT EXISTS index_root (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    wrapped  bytea NOT NULL,
    master   text NOT NULL
);
-- Erasures whose keys were destroyed here, oldest first.
CREATE TABLE IF NOT EXISTS erasure_mark (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    erasure  uuid NOT NULL UNIQUE
);
