-- The service looks at start whether migrations are pending.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_database()) THEN
        EXECUTE format('GRANT SELECT ON public._sqlx_migrations TO %I', current_database());
    END IF;
END
$$;
