//! Ctrl-C: the first asks for an end at the next step, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::out::Out;

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// A flag that the first Ctrl-C sets.
pub fn flag(out: &Out) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, words) = (Arc::clone(&stop), *out);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        words.note("saving after this step; Ctrl-C again ends at once");
    };
    // A second handler in one process is the only thing that can go wrong.
    if ctrlc::set_handler(handler).is_err() {
        out.warn("Ctrl-C will not save first");
    }
    stop
}
