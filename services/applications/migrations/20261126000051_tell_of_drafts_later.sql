-- What has happened to drafts and is not in the log yet: written with the change itself, gone once it is recorded.

CREATE TABLE untold_draft_event (
    -- In the order of the changes of a draft.
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    draft_id    uuid   NOT NULL,
    -- In the log, too: by it an event is known that was recorded by somebody who did not live to delete it here.
    event_id    uuid   NOT NULL,
    type        text   NOT NULL,
    payload     bytea  NOT NULL,
    actor       text   NOT NULL,
    division    text   NOT NULL,
    traceparent text
);
CREATE INDEX untold_draft_event_by_draft ON untold_draft_event (draft_id, id);

-- Drafts from before there were events: message DraftStarted, fields 1 to 3, 36 characters each.
INSERT INTO untold_draft_event (draft_id, event_id, type, payload, actor, division)
SELECT draft_id, gen_random_uuid(), 'dingzhu.applications.v1.DraftStarted',
    '\x0a24'::bytea || convert_to(draft_id::text, 'UTF8') || '\x1224'::bytea || convert_to(certificate_id::text, 'UTF8')
        || '\x1a24'::bytea || convert_to(person_id::text, 'UTF8'),
    'person:' || person_id, '000000'
FROM draft WHERE NOT EXISTS (SELECT FROM event_log WHERE stream = draft.draft_id)
ORDER BY updated_at;

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON untold_draft_event TO %I', service);
    END IF;
END
$$;
