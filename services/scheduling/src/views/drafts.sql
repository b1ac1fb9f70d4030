-- Drafts of applications that are neither filed nor thrown away.
CREATE TABLE IF NOT EXISTS draft (
    draft_id       uuid PRIMARY KEY,
    certificate_id uuid NOT NULL,
    person_id      uuid NOT NULL,
    -- Once chosen.
    agency_id      uuid,
    point_id       uuid
);
CREATE INDEX IF NOT EXISTS draft_by_person ON draft (person_id, certificate_id);
CREATE INDEX IF NOT EXISTS draft_by_agency ON draft (agency_id);
CREATE INDEX IF NOT EXISTS draft_by_point ON draft (point_id);
