-- Plain records of signing in: one-time codes, failures, sessions. Nothing in them is a code, a token, a number or a phone: only keyed hashes.

CREATE TABLE one_time_code (
    id          uuid        PRIMARY KEY,
    -- 1 register, 2 sign in.
    purpose     smallint    NOT NULL CHECK (purpose IN (1, 2)),
    code_hash   bytea       NOT NULL CHECK (octet_length(code_hash) = 32),
    phone_hash  bytea       NOT NULL CHECK (octet_length(phone_hash) = 32),
    -- Who signs in, and through which entry (number of dingzhu.identity.v1.Entry).
    person      uuid,
    entry       smallint,
    tries       smallint    NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL,
    answered_at timestamptz,
    CHECK ((purpose = 2) = (person IS NOT NULL AND entry IS NOT NULL))
);
CREATE INDEX one_time_code_oldest ON one_time_code (expires_at);

-- Until when a phone gets no other code.
CREATE TABLE code_wait (
    phone_hash bytea       PRIMARY KEY,
    until      timestamptz NOT NULL
);

-- Wrong passwords by number, known or not.
CREATE TABLE sign_in_failure (
    number_hash bytea       PRIMARY KEY,
    failures    smallint    NOT NULL,
    last_at     timestamptz NOT NULL
);

CREATE TABLE session (
    id         uuid        PRIMARY KEY,
    person     uuid        NOT NULL,
    entry      smallint    NOT NULL,
    started_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX session_oldest ON session (started_at);

-- Every refresh token that was ever given for a session: a spent one that comes again was stolen.
CREATE TABLE refresh_token (
    hash     bytea       PRIMARY KEY,
    session  uuid        NOT NULL REFERENCES session ON DELETE CASCADE,
    spent_at timestamptz
);
CREATE INDEX refresh_token_of_session ON refresh_token (session);

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON one_time_code, code_wait, sign_in_failure, session, refresh_token TO %I', service);
    END IF;
END
$$;
