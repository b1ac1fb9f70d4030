-- Keys of people, wrapped by the service's master key. A destroyed key leaves its row, so that no new one is made.
CREATE TABLE IF NOT EXISTS person_key (
    person       uuid PRIMARY KEY,
    wrapped      bytea,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
