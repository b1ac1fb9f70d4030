-- Records a session that begins with a password, in one round trip: nobody else begins or ends sessions of the person meanwhile (the lock of
-- that name), and the account still stands at the version by which the password was compared. False, and nothing recorded, where it does not.

CREATE FUNCTION begin_session(
    lock text, session_id uuid, person_id uuid, entry smallint, started_at timestamptz, used_at timestamptz, by_code boolean,
    token_hash bytea, failed_number_hash bytea, compared_version bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- A statement of its own: those that follow see what was committed while it waited.
    PERFORM pg_advisory_xact_lock(hashtextextended(lock, 0));
    IF (SELECT max(version) FROM public.event_log WHERE stream = person_id) IS DISTINCT FROM compared_version THEN
        RETURN false;
    END IF;
    INSERT INTO public.session (id, person, entry, started_at, used_at, by_code)
        VALUES (session_id, person_id, entry, started_at, used_at, by_code);
    INSERT INTO public.refresh_token (hash, session) VALUES (token_hash, session_id);
    DELETE FROM public.sign_in_failure WHERE number_hash = failed_number_hash;
    RETURN true;
END
$$;
