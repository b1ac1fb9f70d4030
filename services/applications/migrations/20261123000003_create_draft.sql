-- Drafts, and the serials of 报名号: what this service keeps beside its log.

CREATE TABLE draft (
    draft_id          uuid        PRIMARY KEY,
    person_id         uuid        NOT NULL,
    certificate_id    uuid        NOT NULL,
    -- Rises with each saving; the sealed part is bound to it.
    revision          integer     NOT NULL CHECK (revision > 0),
    -- Message CodedPart, as far as filled in.
    coded             bytea       NOT NULL,
    -- Message SealedForm under the person's key.
    sealed            bytea       NOT NULL,
    -- Of the coded part: looked up at the submission.
    school_id         uuid,
    agreement_version integer,
    agreement_digest  text,
    -- A ticket for the grace after the end of this window, and when PostgreSQL's clock saw it taken.
    ticket_window     uuid,
    ticket_at         timestamptz,
    updated_at        timestamptz NOT NULL,
    UNIQUE (person_id, certificate_id),
    CHECK ((agreement_version IS NULL) = (agreement_digest IS NULL))
);
CREATE INDEX draft_by_certificate ON draft (certificate_id);

-- The first serial that no replica has reserved.
CREATE TABLE enrolment_serial (
    agency_code text    NOT NULL CHECK (agency_code ~ '^[0-9]{6}$'),
    year        integer NOT NULL,
    next        bigint  NOT NULL CHECK (next > 0),
    PRIMARY KEY (agency_code, year)
);

-- The service has the name of its database as its role.
DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON draft TO %I', service);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON enrolment_serial TO %I', service);
    END IF;
END
$$;
