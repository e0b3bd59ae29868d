//! The result, as text and as JSON.

use std::path::Path;

use serde_json::{Value, json};

use super::FileArguments;
use crate::{
    CheckError, Holds, Hop, Kind, Options, Part, Position, Report, Role, Unseen, Verdict,
    check_bytes, condense, explain, load, shown, trace,
};

/// Maximal number of hops of a path that are printed.
const HOPS: usize = 16;
/// How the names of the smaller scales of a Multi-Scale model begin, in files that this project
/// wrote.
const SMALLER: &str = "scales/every_";
/// Maximal number of pixels that are listed by position; the rest is counted.
const NAMED: usize = 4;

/// The result of checking a file.
pub struct Answer {
    /// The dependencies and the verdict.
    pub report: Report,
    /// Whether the file counts as causal: proved, or proved under conditions that the user accepted.
    pub yes: bool,
    /// From the first leaking output back to the input, if any.
    pub path: Vec<String>,
    /// For the outputs passed to [`Answer::explain`]: why they do not read the nearest earlier
    /// value of their blind spot.
    reasons: Vec<(usize, String)>,
    name: String,
    bytes: Vec<u8>,
    options: Options,
}

/// Checks a file, and finds the path of a leak.
///
/// # Errors
/// Those of [`check_bytes`].
pub fn answer(file: &str, arguments: &FileArguments) -> Result<Answer, CheckError> {
    let (bytes, options) = load(Path::new(file), &arguments.options())?;
    let report = check_bytes(&bytes, &options)?;
    let yes = match report.verdict {
        Verdict::Causal => true,
        Verdict::Conditional => arguments.assume,
        Verdict::Uncertain | Verdict::Leaks => false,
    };
    let mut path = Vec::new();
    if let Some(leak) = &report.leak {
        match trace(&bytes, &options, &report, leak.output, leak.input) {
            Ok(hops) => path = condense(&hops, HOPS).iter().map(Hop::to_string).collect(),
            // The verdict is valid without a path.
            Err(CheckError::TooLarge(_) | CheckError::Node { .. } | CheckError::Independent) => {}
            Err(other) => return Err(other),
        }
        path.push(format!("{} {}", shown(&report.input), place(leak.input)));
    }
    Ok(Answer { report, yes, path, reasons: Vec::new(), name: file.to_string(), bytes, options })
}

/// A position as text: `(row, column)`, followed by the color unless it is 0.
pub fn place(p: Position) -> String {
    match p.colour {
        0 => format!("({}, {})", p.row, p.column),
        c => format!("({}, {}) color {c}", p.row, p.column),
    }
}

impl Answer {
    /// Finds out why each of these outputs does not read the nearest value of its blind spot.
    pub fn explain(&mut self, outputs: &[usize]) {
        for &output in outputs {
            let r = &self.report;
            let missed = (0..r.limit(output)).rev().find(|&v| !r.depends(output, v));
            let Some(value) = missed else { continue };
            let (o, i) = (r.output_position(output), r.position(value));
            let reason = match explain(&self.bytes, &self.options, r, o, i) {
                Ok(Unseen::OutOfReach) => {
                    "nothing connects them (outside the receptive field)".into()
                }
                Ok(Unseen::Stopped(hop)) => format!("a zero or a mask stops it at {hop}"),
                // The verdict is valid without reasons.
                Err(_) => continue,
            };
            self.reasons.push((output, format!("it never reads {}: {reason}", place(i))));
        }
    }

    /// The verdict in a few words.
    pub fn verdict(&self) -> &'static str {
        match self.report.verdict {
            Verdict::Causal => "causal",
            Verdict::Conditional if self.yes => "causal, as assumed",
            Verdict::Conditional => "causal only under conditions",
            Verdict::Uncertain => "cannot tell",
            Verdict::Leaks => "NOT CAUSAL",
        }
    }

    /// The report as text, with the context of the given outputs.
    pub fn text(&self, outputs: &[usize]) -> String {
        let r = &self.report;
        let mut text = format!("{}: {}\n", shown(&self.name), self.verdict());
        let mut line = |name: &str, value: String| {
            text.push_str(&format!("  {name:<12}{value}\n"));
        };
        if let Some(holds) = &r.holds {
            line("holds", held(holds));
        }
        line(
            "images",
            match r.colours {
                1 => format!("{} x {}", r.height, r.width),
                n => format!("{} x {}, {n} colors", r.height, r.width),
            },
        );
        line("input", format!("{}, values {} to {}", shown(&r.input), r.range.0, r.range.1));
        for input in r.inputs.iter().filter(|i| i.role == Role::Condition).take(8) {
            let what = match input.name.strip_prefix(SMALLER) {
                Some(n) if r.holds.is_some() => format!("the image reduced {n} times"),
                _ => format!("input {}", shown(&input.name)),
            };
            line("", format!("{what} is treated as a condition"));
        }
        if r.inputs.iter().any(|i| i.role == Role::Weights) {
            line(
                "",
                "weights are inputs: the result holds for all weights that keep values finite"
                    .into(),
            );
        }
        let output = if r.holds.is_some() { layer(&r.output) } else { &r.output };
        line("output", format!("{}, laid out {}", shown(output), r.output_layout));
        line("nodes", grouped(r.nodes));
        line("parameters", format!("{} in the file", grouped(r.parameters)));
        let what = if r.whole_pixels { "pixel" } else { "output" };
        let all = plural(r.outputs(), what);
        line(
            "leaks",
            match (r.leaking_outputs, r.verdict) {
                (0, _) if r.own_place => {
                    format!("none: {all}, each reads values up to its own place")
                }
                (0, _) => format!("none: {all}, each reads earlier values only"),
                (n, _) if r.own_place => {
                    format!("{} of {all} read values after their own place", grouped(n))
                }
                (n, Verdict::Uncertain) => {
                    format!("{} of {all} may read their own value or a later one", grouped(n))
                }
                (n, _) => format!("{} of {all} read their own value or a later one", grouped(n)),
            },
        );
        for part in &r.parts {
            line("part", one_part(part));
        }
        for condition in r.conditions.iter().filter(|_| r.verdict != Verdict::Causal) {
            line("if", condition.clone());
        }
        if r.verdict == Verdict::Conditional && !self.yes {
            line(
                "",
                "accept this with `--assume`, or give the true range of the images with `--range`"
                    .into(),
            );
        }
        for u in r.uncertain.iter().filter(|_| r.verdict != Verdict::Causal) {
            let (op, node) = (shown(&u.op_type), shown(&u.node));
            line("uncertain", format!("{op} (`{node}`) is not modeled exactly"));
        }
        if let Some(leak) = &r.leak {
            let (o, i) = (place(leak.output), place(leak.input));
            line("witness", format!("output {o} reads input {i}"));
            for hop in &self.path {
                line("", format!("<- {hop}"));
            }
        }
        if let Some(hint) = &r.hint {
            line("hint", hint.clone());
        }
        line(
            "blind spot",
            format!(
                "{:.2} % of earlier values are outside of the receptive field",
                100.0 * r.blind_share
            ),
        );
        for &output in outputs {
            line("", self.unseen(output));
            for (_, reason) in self.reasons.iter().filter(|r| r.0 == output) {
                line("", format!("  {reason}"));
            }
        }
        text
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let r = &self.report;
        let at = |p: Position| json!([p.row, p.column, p.colour]);
        let witness = r
            .leak
            .as_ref()
            .map(|w| json!({ "output": at(w.output), "input": at(w.input), "path": self.path }));
        let uncertain: Vec<Value> = r
            .uncertain
            .iter()
            .map(|u| json!({ "operator": shown(&u.op_type), "node": shown(&u.node) }))
            .collect();
        let inputs: Vec<Value> = r
            .inputs
            .iter()
            .map(|i| json!({ "name": shown(&i.name), "role": i.role.to_string() }))
            .collect();
        let parts: Vec<Value> = r.parts.iter().map(part).collect();
        json!({
            "causal": self.yes,
            "outputs": r.outputs(),
            "leaking_outputs": r.leaking_outputs,
            "witness": witness,
            "blind_share": r.blind_share,
            "parameters": r.parameters,
            "verdict": r.verdict.to_string(),
            "uncertain": uncertain,
            "conditions": r.conditions,
            "inputs": inputs,
            "range": [r.range.0, r.range.1],
            "order": r.order.to_string(),
            "holds": r.holds.as_ref().map(|h| h.kind.to_string()),
            "own_place": r.own_place,
            "parts": parts,
            "hint": r.hint,
        })
    }

    /// The output that is described by default: the one at the center, or the nearest one before it
    /// that has a blind spot.
    pub fn typical(&self) -> usize {
        let r = &self.report;
        let p = Position { colour: r.colours - 1, row: r.height / 2, column: r.width / 2 };
        let center = r.output_at(p);
        let misses = |&o: &usize| r.count_below(o, r.limit(o)) < r.limit(o);
        (0..=center).rev().take(1 << 12).find(misses).unwrap_or(center)
    }

    /// The blind spot of an output, as text.
    fn unseen(&self, output: usize) -> String {
        let r = &self.report;
        let mut seen = r.reads(output).into_iter().peekable();
        let mut pixels: Vec<((usize, usize), Vec<usize>)> = Vec::new();
        for value in 0..r.limit(output) {
            while seen.peek().is_some_and(|run| run.end <= value) {
                seen.next();
            }
            if seen.peek().is_some_and(|run| run.contains(&value)) {
                continue;
            }
            let p = r.position(value);
            match pixels.last_mut().filter(|(pixel, _)| *pixel == (p.row, p.column)) {
                Some((_, colours)) => colours.push(p.colour),
                None => pixels.push(((p.row, p.column), vec![p.colour])),
            }
        }
        let name = |((y, x), colours): &((usize, usize), Vec<usize>)| match colours.as_slice() {
            all if all.len() == r.colours => format!("({y}, {x})"),
            some => format!("({y}, {x}) color {some:?}"),
        };
        let named: Vec<String> = pixels.iter().take(NAMED).map(name).collect();
        let rest = match pixels.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {}", plural(n, "more pixel")),
        };
        let at = place(r.output_position(output));
        match named.is_empty() {
            true => format!("output {at} reads every earlier value"),
            false => format!("output {at} never reads: {}{rest}", named.join(", ")),
        }
    }
}

/// What a file exported by this project contains, and which part of it was checked.
fn held(holds: &Holds) -> String {
    let model = shown(&holds.model);
    match holds.kind {
        Kind::Sample => {
            format!("a sampler of {model}; a pixel may read random numbers up to its own")
        }
        Kind::Forward => format!("the logits of {model}"),
        kind => format!("a loss of {model} ({kind}); the logits inside of it were checked"),
    }
}

fn part(part: &Part) -> Value {
    json!({
        "input": shown(&part.input),
        "output": shown(&part.output),
        "size": part.size,
        "verdict": part.verdict.to_string(),
        "leaking_outputs": part.leaking_outputs,
        "outputs": part.outputs,
    })
}

/// One line of the report, for a file on which several checks ran.
fn one_part(part: &Part) -> String {
    let [height, width] = part.size;
    let found = match (part.verdict, part.leaking_outputs) {
        (Verdict::Causal, _) => "causal".to_string(),
        (Verdict::Conditional, _) => "causal only under conditions".to_string(),
        (Verdict::Uncertain, n) => format!("cannot tell, {n} of {} outputs", part.outputs),
        (Verdict::Leaks, n) => format!("leaks, {n} of {} outputs", part.outputs),
    };
    format!("{} for {height} x {width} pixels: {found}", shown(layer(&part.output)))
}

/// The layer that a value belongs to, in a file of this project: its name without the suffixes that
/// the compiler added.
fn layer(value: &str) -> &str {
    value.split('/').next().unwrap_or(value)
}

/// A number with thousands separators.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

fn plural(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(n)) }
}
