CREATE TABLE IF NOT EXISTS registration_due (
    certificate_id   uuid PRIMARY KEY,
    -- Of the newest application since a conclusion stands; NULL while only the register has told of the certificate.
    enrolment_number text,
    -- Two digits, of the agency.
    province         text,
    agency_id        uuid,
    point_id         uuid,
    school_id        uuid,
    -- Conclusions that stand, oldest first: day/ordinal/conclusion/报名号; no 报名号: told by the register. Dates, not
    -- due dates: those follow from the rules of the day of reading.
    standings        text[] NOT NULL,
    -- Of the last 注册合格 among them.
    qualified_on     date
);
-- Staff list what was registered once: a first submission touches no index but that of the key.
DROP INDEX IF EXISTS registration_due_by_agency, registration_due_by_point, registration_due_by_school;
CREATE INDEX IF NOT EXISTS registration_due_at_agency ON registration_due (agency_id, qualified_on, certificate_id)
    WHERE qualified_on IS NOT NULL;
CREATE INDEX IF NOT EXISTS registration_due_at_point ON registration_due (point_id, qualified_on, certificate_id)
    WHERE qualified_on IS NOT NULL;
CREATE INDEX IF NOT EXISTS registration_due_at_school ON registration_due (school_id, qualified_on, certificate_id)
    WHERE qualified_on IS NOT NULL;
