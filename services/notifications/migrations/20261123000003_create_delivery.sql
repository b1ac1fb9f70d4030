-- Plain records: how each notice gets to its person, which one-time secrets were sent, which notices were read.

-- One row per notice (event, template, person) and channel; the notice itself stands in the log.
CREATE TABLE public.delivery (
    notice_id      uuid        NOT NULL,
    -- Number of dingzhu.notifications.v1.Channel.
    channel        smallint    NOT NULL CHECK (channel BETWEEN 1 AND 3),
    -- Number of dingzhu.notifications.v1.DeliveryState.
    state          smallint    NOT NULL CHECK (state BETWEEN 1 AND 4),
    queued_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it is to be tried next; a lease moves it into the future.
    due_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Who has it in hand, or had it last.
    lease          uuid,
    attempts       integer     NOT NULL DEFAULT 0,
    masked_address text        NOT NULL DEFAULT '',
    problem        text        NOT NULL DEFAULT '',
    PRIMARY KEY (notice_id, channel)
);
CREATE INDEX delivery_due ON public.delivery (due_at) WHERE state = 1;
CREATE INDEX delivery_newest ON public.delivery (queued_at DESC, notice_id DESC, channel DESC);

-- Ids of the requests of Secrets/Deliver, and nothing of what was in them.
CREATE TABLE public.secret (
    request_id   uuid        PRIMARY KEY,
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz NOT NULL,
    sent         boolean     NOT NULL DEFAULT false
);
CREATE INDEX secret_oldest ON public.secret (asked_at);

CREATE TABLE public.notice_read (
    notice_id uuid        PRIMARY KEY,
    read_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON public.delivery TO %I', service);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.secret TO %I', service);
        EXECUTE format('GRANT SELECT, INSERT ON public.notice_read TO %I', service);
    END IF;
END
$$;
