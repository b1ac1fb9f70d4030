-- Schools have a view of their own.
DROP TABLE IF EXISTS school;

CREATE TABLE IF NOT EXISTS agency (
    agency_id uuid PRIMARY KEY,
    division  text NOT NULL,
    -- The first one.
    name      text NOT NULL,
    level     integer NOT NULL,
    parent    uuid
);
-- First day without it, and who goes on.
ALTER TABLE agency ADD COLUMN IF NOT EXISTS abolished_on date;
ALTER TABLE agency ADD COLUMN IF NOT EXISTS successor uuid;

-- Later names.
CREATE TABLE IF NOT EXISTS agency_name (
    agency_id uuid NOT NULL,
    since     date NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (agency_id, since)
);

-- Those that are open.
CREATE TABLE IF NOT EXISTS point (
    point_id  uuid PRIMARY KEY,
    agency_id uuid NOT NULL,
    name      text NOT NULL COLLATE "C",
    division  text NOT NULL,
    school_id uuid
);
ALTER TABLE point ADD COLUMN IF NOT EXISTS range text NOT NULL DEFAULT '';
CREATE INDEX IF NOT EXISTS point_by_agency ON point (agency_id, name);

-- Those that are not any more: plans keep the dates that they had.
CREATE TABLE IF NOT EXISTS closed_point (
    point_id uuid PRIMARY KEY
);
