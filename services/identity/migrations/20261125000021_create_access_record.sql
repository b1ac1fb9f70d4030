-- Who looked at whose personal data: written when it happens, read by the person, removed after a year.

CREATE TABLE access_record (
    -- The order of a person's own list.
    sequence  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id uuid        NOT NULL,
    person    uuid        NOT NULL,
    looked_at timestamptz NOT NULL,
    service   text        NOT NULL,
    -- Who stood behind the call: a member of staff, or the person; NULL where the service acted by itself.
    viewer    uuid,
    -- Number of dingzhu.identity.v1.Role; NULL where no staff looked.
    role      integer,
    division  text,
    -- Numbers of dingzhu.identity.v1.PersonField.
    fields    integer[]   NOT NULL,
    -- Why: free text, sealed under the person's key, bound to record and person; empty where there is no key any more.
    purpose   bytea       NOT NULL
);
CREATE INDEX access_record_of_person ON access_record (person, sequence DESC);
CREATE INDEX access_record_oldest ON access_record (looked_at);

-- An export names ended sessions too.
DROP INDEX session_of_person;
CREATE INDEX session_of_person ON session (person);

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON access_record TO %I', service);
    END IF;
END
$$;
