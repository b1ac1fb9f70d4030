//! The service on real PostgreSQL: from draft to conclusion, what is refused and why, what lists and histories say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bulk;
mod check_draft;
mod closing;
mod codes;
mod conclusions_file;
mod counts;
mod crowd;
mod directory;
mod draft_events;
mod draft_sections;
mod drafts;
mod due;
mod erasure;
mod explaining;
mod facts_file;
mod filing;
mod idle_drafts;
mod journey;
mod lists;
mod meanwhile;
mod merging;
mod neighbours;
mod numbers;
mod reading;
mod rules;
mod schema;
mod stage;
mod texts;
mod watch;
mod words;
