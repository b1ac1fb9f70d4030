-- Tickets of WeChat bindings that wait to be scanned. No openid is in them: it stands sealed beside the event.

CREATE TABLE wechat_ticket (
    id         uuid        PRIMARY KEY,
    -- Who has begun the binding, and may complete it.
    person     uuid        NOT NULL,
    -- How often it was asked whether somebody has scanned.
    polls      integer     NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX wechat_ticket_oldest ON wechat_ticket (expires_at);
CREATE INDEX wechat_ticket_of_person ON wechat_ticket (person) WHERE used_at IS NULL;

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON wechat_ticket TO %I', service);
    END IF;
END
$$;
