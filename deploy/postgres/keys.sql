-- A service's key database: nobody but its own role gets in, and backups of the events do not hold it.
REVOKE ALL ON DATABASE dingzhu_{service}_keys FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
