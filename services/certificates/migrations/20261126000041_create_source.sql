-- Registers that are read from a source over HTTP: how far, by whom now, and what was wrong with rows.

-- The last row that was taken of each register.
CREATE TABLE public.source_place (
    register   text        PRIMARY KEY,
    changed_at timestamptz NOT NULL,
    row_id     uuid        NOT NULL
);

CREATE TABLE public.source_run (
    sync_id     uuid        PRIMARY KEY,
    actor       text        NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The replica that reads now, until when unless it says so again.
    holder      uuid,
    held_until  timestamptz,
    rows_read   bigint      NOT NULL DEFAULT 0,
    added       bigint      NOT NULL DEFAULT 0,
    changed     bigint      NOT NULL DEFAULT 0,
    unchanged   bigint      NOT NULL DEFAULT 0,
    rejected    bigint      NOT NULL DEFAULT 0,
    warned      bigint      NOT NULL DEFAULT 0,
    provinces   text[]      NOT NULL DEFAULT '{}',
    finished_at timestamptz,
    -- Reason, where it ended before the source did.
    failed      text
);
-- One at a time.
CREATE UNIQUE INDEX source_run_open ON public.source_run ((true)) WHERE finished_at IS NULL;
CREATE INDEX source_run_by_end ON public.source_run (finished_at);

-- What was wrong with rows of a run, in the order in which it was found; nothing personal.
CREATE TABLE public.source_problem (
    sync_id   uuid   NOT NULL REFERENCES public.source_run ON DELETE CASCADE,
    ordinal   bigint NOT NULL,
    register  text   NOT NULL,
    row_id    uuid   NOT NULL,
    field     text   NOT NULL,
    reason    text   NOT NULL,
    sentence  text   NOT NULL,
    PRIMARY KEY (sync_id, ordinal)
);
