//! Panics: logged once, where they happen, without words that may be somebody's.

use std::any::Any;
use std::panic;

/// Lets every panic of this process be logged with its place. What it says is logged only where the source says it word for word: what was
/// put together quotes whatever was in hand, a name or a number of somebody too.
pub fn log_panics() {
    panic::set_hook(Box::new(|panicked| {
        let location = panicked.location().map(ToString::to_string);
        tracing::error!(location, message = panic_message(panicked.payload()), "panicked");
    }));
}

/// What a panic says, where the source says it word for word.
pub fn panic_message(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("in words that are not logged")
}
