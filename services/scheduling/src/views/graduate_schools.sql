CREATE TABLE IF NOT EXISTS graduate_school (
    school_id uuid PRIMARY KEY,
    -- Two digits; empty abroad.
    province  text NOT NULL COLLATE "C",
    name      text NOT NULL COLLATE "C",
    kind      text NOT NULL,
    -- What the name is found by: search.rs.
    initials  text NOT NULL COLLATE "C",
    pairs     text[] NOT NULL COLLATE "C"
);
CREATE INDEX IF NOT EXISTS graduate_school_by_province ON graduate_school (province, name);
CREATE INDEX IF NOT EXISTS graduate_school_by_pair ON graduate_school USING gin (pairs);
