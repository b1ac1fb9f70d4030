CREATE TABLE IF NOT EXISTS application (
    certificate_id   uuid NOT NULL,
    enrolment_number text NOT NULL,
    person_id        uuid NOT NULL,
    draft_id         uuid NOT NULL,
    agency_id        uuid NOT NULL,
    point_id         uuid NOT NULL,
    school_id        uuid NOT NULL,
    stage            integer NOT NULL,
    ordinal          integer NOT NULL,
    -- Numbers of the API's enumerations; 0 for none.
    status           integer NOT NULL,
    level            integer NOT NULL,
    conclusion       integer NOT NULL,
    mending          boolean NOT NULL,
    refused          boolean NOT NULL,
    facts            boolean NOT NULL,
    version          bigint NOT NULL,
    -- Of the submission: the order of lists.
    position         bigint NOT NULL,
    submitted_at     timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    -- By the number first: numbers are given out in order, so that the index grows at a few places, whereas certificates are as good as random.
    PRIMARY KEY (enrolment_number, certificate_id)
);
CREATE INDEX IF NOT EXISTS application_by_person ON application (person_id);
CREATE INDEX IF NOT EXISTS application_by_agency ON application (agency_id, position DESC);
CREATE INDEX IF NOT EXISTS application_by_point ON application (point_id, position DESC);
CREATE INDEX IF NOT EXISTS application_by_school ON application (school_id, position DESC);
-- Of whole provinces.
CREATE INDEX IF NOT EXISTS application_by_position ON application (position DESC);
-- What waits for a level (2: under review): little beside all that is concluded.
CREATE INDEX IF NOT EXISTS application_under_review ON application (level, position DESC) WHERE status = 2;
