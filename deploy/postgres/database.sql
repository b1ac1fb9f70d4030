-- Who may do what in a service's database, made as superuser inside it, before the first migration.
REVOKE ALL ON DATABASE dingzhu_{service} FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE dingzhu_{service} TO dingzhu_{service}, dingzhu_{service}_migrate;
GRANT CONNECT ON DATABASE dingzhu_{service} TO dingzhu_{service}_report;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO dingzhu_{service}, dingzhu_{service}_report;
-- Plain records; the event log's own migration takes UPDATE and DELETE away again where they must not be.
ALTER DEFAULT PRIVILEGES FOR ROLE dingzhu_{service}_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dingzhu_{service};
ALTER DEFAULT PRIVILEGES FOR ROLE dingzhu_{service}_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO dingzhu_{service};
