//! The service against a real PostgreSQL: every RPC, stored forms, views, the command of its own.

mod house;
