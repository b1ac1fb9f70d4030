-- Those that are open.
CREATE TABLE IF NOT EXISTS listed_school (
    school_id uuid PRIMARY KEY,
    name      text NOT NULL COLLATE "C",
    division  text NOT NULL COLLATE "C",
    agency_id uuid NOT NULL,
    kind      text NOT NULL,
    -- What the name is found by: search.rs.
    initials  text NOT NULL COLLATE "C",
    pairs     text[] NOT NULL COLLATE "C"
);
CREATE INDEX IF NOT EXISTS listed_school_by_division ON listed_school (division, name);
CREATE INDEX IF NOT EXISTS listed_school_by_pair ON listed_school USING gin (pairs);
