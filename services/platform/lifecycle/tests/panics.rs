//! What a panic leaves in the log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::sync::{Arc, Mutex};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged while this panics.
fn logged(panics: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Mutex::new(writer)).finish();
    tracing::subscriber::with_default(subscriber, || {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
        tracing::error!(message = lifecycle::panic_message(panic.as_ref()), "the handler panicked");
    });
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn a_panic_is_logged_with_its_place_and_without_the_words_that_it_quotes() {
    lifecycle::log_panics();
    let name = String::from("张老师");
    let lines = logged(|| drop(name[..1].to_owned()));
    assert!(lines.contains("tests/panics.rs:"), "{lines}");
    assert!(!lines.contains('张'), "{lines}");
    let lines = logged(|| panic!("an invariant is broken"));
    assert_eq!(lines.matches("an invariant is broken").count(), 2, "{lines}");
}
