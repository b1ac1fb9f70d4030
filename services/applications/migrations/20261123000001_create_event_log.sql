-- The event log of a service: the truth. Positions are 1..n in commit order, because every append holds one advisory lock.

CREATE TABLE event_log (
    position    bigint      PRIMARY KEY CHECK (position > 0),
    epoch       bigint      NOT NULL CHECK (epoch > 0),
    stream      uuid        NOT NULL,
    version     bigint      NOT NULL CHECK (version > 0),
    type        text        NOT NULL CHECK (type <> ''),
    payload     bytea       NOT NULL,
    "inner"     bytea       NOT NULL,
    sealed      bytea       NOT NULL,
    metadata    bytea       NOT NULL,
    event_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    hash        bytea       NOT NULL CHECK (octet_length(hash) = 32),
    UNIQUE (stream, version),
    CHECK (octet_length(payload) + octet_length("inner") + octet_length(sealed) <= 262144)
);

-- What was asked before, and the answer given: one effect per request.
CREATE TABLE request (
    actor       text        COLLATE "C" NOT NULL,
    request_id  uuid        NOT NULL,
    fingerprint bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    position    bigint      NOT NULL CHECK (position >= 0),
    answer      bytea       NOT NULL CHECK (octet_length(answer) <= 262144),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (actor, request_id)
);

-- What only one can have.
CREATE TABLE claim (
    kind        text        COLLATE "C" NOT NULL,
    key         bytea       NOT NULL,
    position    bigint      NOT NULL CHECK (position >= 0),
    PRIMARY KEY (kind, key)
);

CREATE FUNCTION refuse_change_of_event_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'event_log is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER event_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_event_log();

-- The service has the name of its database as its role, reporting the same with `_report`; neither owns anything.
DO $$
DECLARE
    service text := current_database();
    report  text := current_database() || '_report';
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('REVOKE ALL ON event_log, request, claim FROM %I', service);
        EXECUTE format('GRANT SELECT, INSERT ON event_log, request TO %I', service);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON claim TO %I', service);
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = report) THEN
        EXECUTE format('REVOKE ALL ON event_log, request, claim FROM %I', report);
        EXECUTE format('GRANT SELECT (position, epoch, stream, version, type, payload, event_id, recorded_at, hash) ON event_log TO %I', report);
    END IF;
END
$$;
