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
    name      text NOT NULL
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
