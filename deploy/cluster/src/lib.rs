//! Runs Dingzhu on one machine: PostgreSQL, nats-server, the services; also the tests' harness.
