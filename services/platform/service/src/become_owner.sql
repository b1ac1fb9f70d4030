-- The migrating role acts as the owner of the tables, where the deployment has one; on a database of one role it is that role.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_database() || '_owner') THEN
        EXECUTE format('SET ROLE %I', current_database() || '_owner');
    END IF;
END
$$;
