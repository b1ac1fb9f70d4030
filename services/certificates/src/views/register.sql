-- Certificates as their owners list them. What is personal stays sealed, with what opens it.
CREATE TABLE IF NOT EXISTS register (
    certificate_id uuid PRIMARY KEY,
    person         uuid,
    holder         bytea NOT NULL,
    kind           integer NOT NULL,
    subject        text NOT NULL,
    issuing_agency text NOT NULL,
    issue_date     date NOT NULL,
    source         integer NOT NULL,
    restriction    integer,
    sealed         bytea NOT NULL,
    sealed_event   uuid NOT NULL,
    sealed_version bigint NOT NULL
);
-- Names the key of the sealed part: another one for each holder.
ALTER TABLE register ADD COLUMN IF NOT EXISTS generation integer NOT NULL DEFAULT 0;
-- The register says that there is no such certificate.
ALTER TABLE register ADD COLUMN IF NOT EXISTS deleted boolean NOT NULL DEFAULT false;
CREATE INDEX IF NOT EXISTS register_person ON register (person) WHERE person IS NOT NULL;
CREATE INDEX IF NOT EXISTS register_holder ON register (holder);
CREATE TABLE IF NOT EXISTS prior_registration (
    certificate_id uuid NOT NULL,
    ordinal        integer NOT NULL,
    conclusion     integer NOT NULL,
    concluded      date NOT NULL,
    PRIMARY KEY (certificate_id, ordinal)
);
