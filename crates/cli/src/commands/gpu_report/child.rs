//! Child processes with a time limit: a crash or a hang of a driver costs one measurement, not the report.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How often a running child is looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long a child that was killed may take to end. One that hangs in a driver may never.
const GRACE: Duration = Duration::from_secs(5);
/// The most of an error message that is kept.
const MESSAGE: usize = 2_000;

/// How a child ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With an answer on standard output.
    Answered(String),
    /// With an error; the end of its message.
    Failed(String),
    /// It took longer than it may, and was killed.
    TimedOut(String),
    /// The report was interrupted, and the child killed.
    Interrupted,
}

impl Ended {
    /// The answer as JSON.
    pub fn json(self) -> Result<Value, Ended> {
        match self {
            Ended::Answered(text) => serde_json::from_str(&text)
                .map_err(|e| Ended::Failed(format!("the answer is not JSON ({e}): {text:?}"))),
            other => Err(other),
        }
    }

    /// The word and the reason for the report.
    pub fn state(&self) -> (&'static str, &str) {
        match self {
            Ended::Answered(_) => ("done", ""),
            Ended::Failed(reason) => ("failed", reason),
            Ended::TimedOut(reason) => ("timeout", reason),
            Ended::Interrupted => ("interrupted", "the report was interrupted"),
        }
    }
}

/// Runs a command to its end, for at most this long. Exit code 1 is an answer, too: engines that disagree.
pub fn run(command: &mut Command, limit: Duration, stop: &AtomicBool) -> Ended {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ended::Failed(format!("cannot start {name}: {error}")),
    };
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let (status, killed) = wait(&mut child, limit, stop);
    let Some(status) = status else {
        let id = child.id();
        let text = format!("process {id} was killed and has not ended: the driver may hang");
        return Ended::TimedOut(text);
    };
    // Both end with the process, unless it left another that holds them open.
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        let begun = Instant::now();
        while !reader.is_finished() && begun.elapsed() < GRACE {
            thread::sleep(TICK);
        }
        let bytes = if reader.is_finished() { reader.join().ok() } else { None };
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    let (out, err) = (text(out), text(err));
    match (killed, status.code()) {
        (true, _) if stop.load(Ordering::Relaxed) => Ended::Interrupted,
        (true, _) => {
            Ended::TimedOut(format!("killed after {:.0} s. {}", limit.as_secs_f64(), tail(&err)))
        }
        (false, Some(0 | 1)) if !out.trim().is_empty() => Ended::Answered(out),
        (false, code) => Ended::Failed(match (tail(&err), code) {
            ("", Some(code)) => format!("exit code {code} without a message"),
            ("", None) => format!("{name} was ended by a signal: {status}"),
            (message, Some(_)) => message.to_string(),
            (message, None) => format!("{status}: {message}"),
        }),
    }
}

/// The status, or nothing if it does not end; and whether it was killed.
fn wait(child: &mut Child, limit: Duration, stop: &AtomicBool) -> (Option<ExitStatus>, bool) {
    let begun = Instant::now();
    let mut killed: Option<Instant> = None;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return (Some(status), killed.is_some());
        }
        match killed {
            Some(at) if at.elapsed() > GRACE => return (None, true),
            None if begun.elapsed() > limit || stop.load(Ordering::Relaxed) => {
                // Fails only if it has ended by itself.
                let _ = child.kill();
                killed = Some(Instant::now());
            }
            _ => {}
        }
        thread::sleep(TICK);
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is kept.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// The error at the end of what a child wrote to standard error, without what libraries wrote before.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let text = text.rfind("\nerror: ").map_or(text, |at| &text[at + 1..]);
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let mut start = text.len().saturating_sub(MESSAGE);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, seconds: f64, stop: bool) -> (Ended, f64) {
        let begun = Instant::now();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let ended = run(&mut command, Duration::from_secs_f64(seconds), &AtomicBool::new(stop));
        (ended, begun.elapsed().as_secs_f64())
    }

    #[test]
    fn children_end_in_every_way() {
        assert_eq!(shell("echo 7", 20.0, false).0.json(), Ok(serde_json::json!(7)));
        assert_eq!(shell("echo 8; exit 1", 20.0, false).0, Ended::Answered("8\n".into()));
        let failed = Ended::Failed("why".into());
        assert_eq!(shell("echo error: why >&2; exit 2", 20.0, false).0, failed);
        assert!(matches!(shell("echo what", 20.0, false).0.json(), Err(Ended::Failed(_))));
        let (crashed, _) = shell("kill -SEGV $$", 20.0, false);
        assert!(matches!(&crashed, Ended::Failed(text) if text.contains("signal")), "{crashed:?}");
        let (slow, seconds) = shell("echo begun >&2; exec sleep 60", 0.3, false);
        assert!(matches!(&slow, Ended::TimedOut(text) if text.contains("begun")), "{slow:?}");
        assert!(seconds < 30.0);
        assert_eq!(shell("exec sleep 60", 50.0, true).0, Ended::Interrupted);
        let missing = run(
            &mut Command::new("/nowhere/at/all"),
            Duration::from_secs(1),
            &AtomicBool::new(false),
        );
        assert!(matches!(missing, Ended::Failed(text) if text.contains("cannot start")));
    }

    #[test]
    fn a_long_message_is_cut() {
        let long = "é".repeat(MESSAGE);
        assert!(tail(&long).len() <= MESSAGE && tail(&long).starts_with('é'));
        assert_eq!(tail(" short\n"), "short");
        assert_eq!(tail("warning: old\nerror: what\nis wrong\n"), "what\nis wrong");
    }
}
