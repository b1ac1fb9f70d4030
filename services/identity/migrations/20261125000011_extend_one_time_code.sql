-- Codes for recovery, for a new phone and for a mail address; phone_hash is the keyed hash of whatever has to wait for the next code.

ALTER TABLE one_time_code
    DROP CONSTRAINT IF EXISTS one_time_code_purpose_check,
    DROP CONSTRAINT IF EXISTS one_time_code_check,
    -- 1 register, 2 sign in, 3 recover (without a person: whose code goes nowhere), 4 new phone, 5 mail address.
    ADD CONSTRAINT one_time_code_whose CHECK (
        purpose > 0
        AND (purpose = 2) = (entry IS NOT NULL)
        AND (purpose NOT IN (2, 4) OR person IS NOT NULL)
    );
CREATE INDEX one_time_code_of_person ON one_time_code (person) WHERE answered_at IS NULL;
CREATE INDEX IF NOT EXISTS session_of_person ON session (person) WHERE ended_at IS NULL;
