-- When a person is erased, which notices they had read is forgotten with them.

DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('GRANT DELETE ON public.notice_read TO %I', service);
    END IF;
END
$$;
