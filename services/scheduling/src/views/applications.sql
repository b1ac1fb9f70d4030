CREATE TABLE IF NOT EXISTS application (
    enrolment_number text    PRIMARY KEY COLLATE "C",
    person_id        uuid    NOT NULL,
    school_id        uuid    NOT NULL,
    point_id         uuid    NOT NULL,
    -- 网报待确认
    pending          boolean NOT NULL,
    -- Version of the certificate's record at the last change.
    version          bigint  NOT NULL
);
CREATE INDEX IF NOT EXISTS application_by_person ON application (person_id);
