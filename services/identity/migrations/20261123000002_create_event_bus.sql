-- What the event bus keeps in a service's database: checkpoints of feeds, parked events, the relay's state; and the schemas of views.

CREATE SCHEMA IF NOT EXISTS views;
-- Where a view is built anew before it takes the live one's place.
CREATE SCHEMA IF NOT EXISTS rebuild;

-- How far each consumer of events has come; written in the transaction of its effects.
CREATE TABLE public.feed_checkpoint (
    name             text        PRIMARY KEY,
    source           text        NOT NULL,
    epoch            bigint      NOT NULL CHECK (epoch >= 0),
    position         bigint      NOT NULL CHECK (position >= 0),
    hash             bytea       NOT NULL CHECK (octet_length(hash) = 32),
    -- The last event that could change what a view shows.
    changed          bigint      NOT NULL DEFAULT 0,
    -- Newest position of the source, as far as the reading replica knew.
    source_head      bigint      NOT NULL DEFAULT 0,
    -- When the reading replica last knew of nothing unread; NULL before the head was first reached.
    at_head_at       timestamptz,
    -- Why it stands still, since which event.
    problem          text,
    oldest_unread_at timestamptz
);

-- Events that a reaction could not apply, and the later ones of the same key behind them.
CREATE TABLE public.parked_event (
    feed      text        NOT NULL REFERENCES public.feed_checkpoint,
    position  bigint      NOT NULL,
    key       uuid        NOT NULL,
    event_id  uuid        NOT NULL,
    type      text        NOT NULL,
    -- Message dingzhu.operations.v1.PublishedEvent.
    event     bytea       NOT NULL,
    problem   text        NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts  integer     NOT NULL DEFAULT 1,
    PRIMARY KEY (feed, position)
);
CREATE INDEX parked_event_by_key ON public.parked_event (feed, key, position);

-- One row: whether stream and log belong together.
CREATE TABLE public.relay_state (
    only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    state       text        NOT NULL DEFAULT 'RUNNING' CHECK (state IN ('RUNNING', 'FORKED', 'RESOLVED')),
    -- Which fork: digest of what stands in the stream and in the log.
    fork_digest text,
    problem     text,
    found_at    timestamptz,
    -- First of the two persons who end it, and why.
    proposed_by text,
    reason      text,
    -- Newest position known to stand in the stream.
    published   bigint      NOT NULL DEFAULT 0
);
INSERT INTO public.relay_state DEFAULT VALUES;

-- The service has the name of its database as its role.
DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.feed_checkpoint, public.parked_event TO %I', service);
        EXECUTE format('GRANT SELECT, UPDATE ON public.relay_state TO %I', service);
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA views, rebuild TO %I', service);
    END IF;
END
$$;
