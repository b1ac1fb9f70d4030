-- The roles of one service, made as superuser in the database `postgres`; running it again changes nothing but passwords.
-- {service}: name of the service; {password:ROLE}: that role's generated password.
DO $$
DECLARE
    role text;
BEGIN
    -- owner: owns the database and what migrations make; nobody signs in as it.
    -- migrate: deployment only. The service's own role reads and appends. report reads. keys: the separate key database.
    FOREACH role IN ARRAY ARRAY['_owner', '_migrate', '', '_report', '_keys'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dingzhu_{service}' || role) THEN
            EXECUTE format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE', 'dingzhu_{service}' || role);
        END IF;
    END LOOP;
END
$$;
ALTER ROLE dingzhu_{service}_owner NOLOGIN;
ALTER ROLE dingzhu_{service}_migrate LOGIN NOINHERIT PASSWORD '{password:migrate}';
ALTER ROLE dingzhu_{service} LOGIN PASSWORD '{password:database}';
ALTER ROLE dingzhu_{service}_report LOGIN PASSWORD '{password:report}';
ALTER ROLE dingzhu_{service}_keys LOGIN PASSWORD '{password:keys}';
-- Migrations run as the owner without naming it.
GRANT dingzhu_{service}_owner TO dingzhu_{service}_migrate;
ALTER ROLE dingzhu_{service}_migrate SET role = 'dingzhu_{service}_owner';
ALTER ROLE dingzhu_{service}_report SET default_transaction_read_only = on;
