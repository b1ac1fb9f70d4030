-- Drafts that nobody works on are reminded of, twice, and then deleted.

ALTER TABLE draft
    -- Of this pause; saving begins a new one.
    ADD COLUMN reminders   integer NOT NULL DEFAULT 0 CHECK (reminders BETWEEN 0 AND 2),
    ADD COLUMN reminded_at timestamptz;
CREATE INDEX draft_by_pause ON draft (reminders, (greatest(updated_at, reminded_at)));
