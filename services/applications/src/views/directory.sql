CREATE TABLE IF NOT EXISTS agency (
    agency_id uuid PRIMARY KEY,
    division  text NOT NULL,
    -- The first one.
    name      text NOT NULL,
    level     integer NOT NULL,
    parent    uuid
);
-- First day without it.
ALTER TABLE agency ADD COLUMN IF NOT EXISTS abolished_on date;
-- Later names.
CREATE TABLE IF NOT EXISTS agency_name (
    agency_id uuid NOT NULL,
    since     date NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (agency_id, since)
);
CREATE TABLE IF NOT EXISTS point (
    point_id  uuid PRIMARY KEY,
    agency_id uuid NOT NULL,
    name      text NOT NULL
);
ALTER TABLE point ADD COLUMN IF NOT EXISTS closed boolean NOT NULL DEFAULT false;
-- What provinces have said of subjects; where they say nothing the table that comes with the program holds.
CREATE TABLE IF NOT EXISTS subject (
    province text    NOT NULL,
    stage    integer NOT NULL,
    name     text    NOT NULL,
    is_on    boolean NOT NULL,
    PRIMARY KEY (province, stage, name)
);
CREATE TABLE IF NOT EXISTS plan (
    plan_id   uuid PRIMARY KEY,
    province  text NOT NULL,
    finished  boolean NOT NULL,
    -- Of its publication: the newest plan of a province counts.
    position  bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS agency_plan (
    plan_id   uuid NOT NULL,
    agency_id uuid NOT NULL,
    joined    boolean NOT NULL,
    is_open   boolean NOT NULL,
    PRIMARY KEY (plan_id, agency_id)
);
CREATE TABLE IF NOT EXISTS filing_window (
    window_id     uuid PRIMARY KEY,
    plan_id       uuid NOT NULL,
    agency_id     uuid NOT NULL,
    begin_at      timestamptz NOT NULL,
    end_at        timestamptz NOT NULL,
    grace_minutes integer NOT NULL,
    revision      integer NOT NULL
);
CREATE TABLE IF NOT EXISTS point_assignment (
    plan_id   uuid NOT NULL,
    agency_id uuid NOT NULL,
    point_id  uuid NOT NULL,
    begin_at  timestamptz NOT NULL,
    end_at    timestamptz NOT NULL,
    PRIMARY KEY (plan_id, point_id)
);
