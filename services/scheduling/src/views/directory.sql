CREATE TABLE IF NOT EXISTS agency (
    agency_id uuid PRIMARY KEY,
    division  text NOT NULL,
    name      text NOT NULL,
    level     integer NOT NULL,
    parent    uuid
);

CREATE TABLE IF NOT EXISTS point (
    point_id  uuid PRIMARY KEY,
    agency_id uuid NOT NULL,
    name      text NOT NULL COLLATE "C",
    division  text NOT NULL,
    school_id uuid
);
CREATE INDEX IF NOT EXISTS point_by_agency ON point (agency_id, name);

CREATE TABLE IF NOT EXISTS school (
    school_id uuid PRIMARY KEY,
    name      text NOT NULL COLLATE "C",
    division  text NOT NULL COLLATE "C",
    agency_id uuid NOT NULL,
    kind      text NOT NULL
);
CREATE INDEX IF NOT EXISTS school_by_division ON school (division, name);
