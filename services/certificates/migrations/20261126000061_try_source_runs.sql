-- A run over a source may only report, or begin at the beginning; and what deserves a look in a row is told like what is wrong with it.
ALTER TABLE public.source_run ADD COLUMN dry_run boolean NOT NULL DEFAULT false;
ALTER TABLE public.source_run ADD COLUMN from_the_beginning boolean NOT NULL DEFAULT false;
ALTER TABLE public.source_problem ADD COLUMN is_warning boolean NOT NULL DEFAULT false;

-- The last row that a run read which only reports: the place of the register stays where it is.
CREATE TABLE public.source_run_place (
    sync_id    uuid        NOT NULL REFERENCES public.source_run ON DELETE CASCADE,
    register   text        NOT NULL,
    changed_at timestamptz NOT NULL,
    row_id     uuid        NOT NULL,
    PRIMARY KEY (sync_id, register)
);
