-- Whose document number has which keyed hash, so that what a source says of somebody who holds no certificate here is found when they are
-- erased; the row goes with them.
CREATE TABLE public.holder (
    person_id uuid  PRIMARY KEY,
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32)
);
