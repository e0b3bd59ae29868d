//! Handles Ctrl-C: the first stops after the current step, the second exits immediately.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::out::Out;

/// The exit code of a process that Ctrl-C interrupted, by shell convention.
const INTERRUPTED: i32 = 130;

/// A flag that the first Ctrl-C sets.
pub fn flag(out: &Out) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, words) = (Arc::clone(&stop), *out);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        words
            .note("saving a checkpoint after this step; press Ctrl-C again to quit without saving");
    };
    // Fails only if the process already has a handler.
    if ctrlc::set_handler(handler).is_err() {
        out.warn("cannot install the Ctrl-C handler: an interrupt will not save a checkpoint");
    }
    stop
}
