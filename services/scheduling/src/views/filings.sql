-- Applications that stand; what else is known of them is in the view of applications.
CREATE TABLE IF NOT EXISTS filing (
    enrolment_number text        PRIMARY KEY COLLATE "C",
    -- By now.
    agency_id        uuid        NOT NULL,
    -- Under which it was accepted.
    window_id        uuid        NOT NULL,
    window_revision  integer     NOT NULL,
    -- Of the submission in the log of applications: the order of lists.
    position         bigint      NOT NULL,
    submitted_at     timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS filing_by_agency ON filing (agency_id);
CREATE INDEX IF NOT EXISTS filing_by_window ON filing (window_id, window_revision);
