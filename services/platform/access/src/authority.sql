-- Keys that sign access tokens, and the live roles of staff: what identity published and the root key signed.
CREATE TABLE IF NOT EXISTS authority_key (
    key_id     text PRIMARY KEY,
    public_key bytea NOT NULL CHECK (length(public_key) = 32),
    not_before timestamptz NOT NULL,
    not_after  timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS authority_grant (
    grant_id uuid PRIMARY KEY,
    person   uuid NOT NULL,
    role     integer NOT NULL,
    division text NOT NULL,
    unit     uuid
);
CREATE TABLE IF NOT EXISTS authority_restricted (
    person        uuid PRIMARY KEY,
    restricted_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS authority_erased (
    person    uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS authority_erased_newest ON authority_erased (erased_at);
CREATE INDEX IF NOT EXISTS authority_restricted_newest ON authority_restricted (restricted_at);
