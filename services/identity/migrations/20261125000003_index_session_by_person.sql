-- People see and end their own sessions.

CREATE INDEX session_of_person ON session (person) WHERE ended_at IS NULL;
