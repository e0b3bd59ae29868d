//! Layer 2 of `pixelrnn`: proves that an ONNX image model is autoregressive, or shows the leak.
//!
//! **Purpose.** [`check_bytes`] and [`check_file`] analyze an ONNX image model from any exporter and
//! return a [`Report`]: for every color of every pixel, the set of image values that its logits depend
//! on, and whether that is allowed. [`trace`] returns the path from one output back to one input, node
//! by node. Nothing is printed.
//!
//! ```no_run
//! let report = pixelrnn_check::check_file("model.onnx".as_ref(), &Default::default())?;
//! println!("{:?}: {} of {} outputs leak", report.verdict, report.leaking_outputs, report.outputs());
//! for run in report.reads(0) {
//!     println!("output 0 reads values {run:?}");
//! }
//! # Ok::<(), pixelrnn_check::CheckError>(())
//! ```
//!
//! **How.** Abstract interpretation: the graph is run once on abstract elements. An element is the set of
//! image values that it depends on, with bounds on its value for all images in the range. An element
//! whose bounds are equal is a constant and depends on nothing. So zeros in weights, masks (multiplied,
//! selected by `Where`, or added before a softmax) and saturated functions are all recognized, but only
//! if they hold for every image in the range.
//!
//! **What "causal" means.** No image in the range can change an output that must not depend on the
//! changed value. Arithmetic rounds outward: a result that is not exact in the element type is not
//! constant. Infinity and NaN are tracked: a zero absorbs only finite values. If the bounds do not
//! suffice, the verdict is [`Verdict::Conditional`], with the conditions. Operators that are not modeled
//! exactly depend on all their inputs (see [`TABLE`]). If only such operators prevent the proof, the
//! verdict is [`Verdict::Uncertain`].
//!
//! **What "leaks" means.** There is a path from an input to an output. Terms that cancel, and weights
//! that are zero without being constant, are not recognized.
//!
//! **Assumptions.** Other inputs are finite and independent of the image. If weights are inputs, the
//! result holds for all weights that keep every value finite. Dynamic batch sizes are set to 1.
//!
//! **Where to start.** `value.rs` for bounds, `sets.rs` for sets, `store.rs` for elements,
//! `tensor.rs`, `machine.rs` for the interpreter, `ops/table.rs` for the operators, `model.rs` for
//! reading files.

#![deny(missing_docs)]

mod binary;
mod budget;
mod call;
#[cfg(feature = "cli")]
pub mod cli;
mod elem;
mod error;
mod external;
mod fast;
mod inline;
mod item;
mod layout;
mod literal;
mod machine;
mod model;
mod names;
mod norms;
mod ops;
mod options;
mod orders;
mod own;
mod report;
mod sets;
mod store;
mod tensor;
mod text;
mod trace;
mod unary;
mod valid;
mod value;

use std::path::Path;

pub use error::{CheckError, Problem, Resource, Unsupported};
pub use layout::{Layout, LayoutError};
pub use ops::{Exactness, OperatorRow, TABLE};
pub use options::{Options, Order, OrderError};
pub use own::{Holds, Kind};
pub use report::{InputRole, Leak, Part, Position, Report, Role, Uncertain, Verdict};
pub use text::shown;
pub use trace::{Hop, Unseen, condense, explain, trace};

use budget::Budget;
use layout::Size;
use model::{Model, Task, output_sets};
use own::Question;
use sets::Sets;
use store::{Assume, Noticed, Store};

/// Reads a file and checks it. External weights are read from the file's own folder.
///
/// # Errors
/// [`CheckError::File`] if the file cannot be read, and those of [`check_bytes`].
pub fn check_file(path: &Path, options: &Options) -> Result<Report, CheckError> {
    let (bytes, options) = load(path, options)?;
    check_bytes(&bytes, &options)
}

/// Reads a model file. Returns its bytes, and the options with the file's folder filled in.
///
/// # Errors
/// [`CheckError::File`] if it cannot be read, is not a regular file, or is larger than the memory
/// limit.
pub fn load(path: &Path, options: &Options) -> Result<(Vec<u8>, Options), CheckError> {
    let bytes = external::model(path, options.memory)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new(".")).to_path_buf();
    Ok((bytes, Options { folder: Some(folder), ..options.clone() }))
}

/// Computes, for each output, the set of image values that it depends on, and whether it may.
///
/// # Errors
/// If the bytes are not a valid model, or its meaning is ambiguous; if operators are not supported
/// (all of them are listed); if a node violates the ONNX standard; if no input or output has the
/// shape of an image and its logits; or if a limit is exceeded.
pub fn check_bytes(bytes: &[u8], options: &Options) -> Result<Report, CheckError> {
    let model = Model::decode(bytes)?;
    let mut reports: Vec<Report> = Vec::new();
    for question in own::questions(&model, options)? {
        reports.push(ask(&model, &question)?);
    }
    let parts: Vec<Part> = reports.iter().map(Report::part).collect();
    // One report is returned for the whole file: the one with the worst verdict, and of equals the
    // last, which is about the whole image.
    let worst = |r: &Report| match r.verdict {
        Verdict::Causal => 0,
        Verdict::Conditional => 1,
        Verdict::Uncertain => 2,
        Verdict::Leaks => 3,
    };
    let mut report = reports.into_iter().max_by_key(worst).ok_or(CheckError::NoGraph)?;
    if parts.len() > 1 {
        report.parts = parts;
    }
    Ok(report)
}

/// Answers one question: runs the analysis, first without assumptions, then with those that help.
fn ask(model: &Model, question: &Question) -> Result<Report, CheckError> {
    let task = model.task(question)?;
    let options = &question.options;
    let run = |assume: Assume, budget: &Budget| run(&task, question, budget, assume);
    let budget = Budget::new(options.memory, options.time);
    // Unknown weights have no bounds: the verdict holds for those that keep every value finite.
    let given = Assume { finite: task.weights_are_inputs(), ..Assume::NOTHING };
    let (mut report, noticed) = run(given, &budget)?;
    for next in [Assume { finite: true, ..given }, Assume { finite: true, masks: true, ..given }] {
        let helps = (next.finite && !given.finite && noticed.infinite && !next.masks)
            || (next.masks && noticed.masks);
        if report.leaking_outputs == 0 || !options.conditions {
            break;
        }
        if !helps {
            continue;
        }
        let (other, _) = run(next, &budget)?;
        if other.leaking_outputs < report.leaking_outputs {
            report = other;
        }
    }
    report.verdict = match report.leaking_outputs {
        0 if report.granted == given => Verdict::Causal,
        0 => Verdict::Conditional,
        _ => Verdict::Leaks,
    };
    if report.verdict == Verdict::Causal && !given.finite {
        report.conditions.clear();
    }
    if report.verdict == Verdict::Leaks && !report.uncertain.is_empty() {
        let clear = Assume { clear: true, ..report.granted };
        let (least, _) = run(clear, &budget)?;
        if least.leaking_outputs == 0 {
            report.verdict = Verdict::Uncertain;
        }
    }
    if report.verdict == Verdict::Leaks && !question.own_place {
        report.hint = orders::hint(&report);
    }
    report.holds = model.holds.clone();
    Ok(report)
}

/// One run of the analysis under the given assumptions.
fn run(
    task: &Task,
    question: &Question,
    budget: &Budget,
    assume: Assume,
) -> Result<(Report, Noticed), CheckError> {
    let options = &question.options;
    let Size { colours, height, width } = task.size;
    let bits = colours * height * width;
    let store = Store::new(bits, budget.again(), assume);
    let mut machine = task.machine(store, options);
    let image = task.image(&mut machine.store, |store, bit| store.sets.single(bit))?;
    let (scope, output, parameters) = task.run(&mut machine, image, false)?;
    let (output_layout, place) = task.output_place(&output, options)?;
    let store = &mut machine.store;
    let ids = output_sets(store, &output, &place, task.size, task.order);
    drop(scope);
    let full = store.sets.is_full();
    let sets = std::mem::replace(&mut store.sets, Sets::new(0, 0));
    if full {
        let limit = options.memory;
        return Err(CheckError::TooLarge(Resource::Memory { needed: limit, limit }));
    }
    let order = task.order.unwrap_or(if place.whole { Order::Pixel } else { Order::Rgb });
    let uncertain = store.uncertain.iter();
    let mut report = Report {
        verdict: Verdict::Causal,
        colours,
        height,
        width,
        levels: place.levels,
        whole_pixels: place.whole,
        order,
        range: options.bounds(),
        holds: None,
        own_place: question.own_place,
        parts: Vec::new(),
        input: task.input.to_string(),
        output: task.output.to_string(),
        output_layout,
        inputs: task.roles.clone(),
        nodes: pixelrnn_onnx::count_nodes(task.graph),
        parameters,
        leaking_outputs: 0,
        leak: None,
        blind_share: 0.0,
        uncertain: uncertain
            .map(|(op, node)| Uncertain { op_type: op.clone(), node: node.clone() })
            .collect(),
        conditions: report::conditions(&store.granted),
        hint: None,
        sets,
        ids,
        granted: assume,
        question: question.clone(),
    };
    report.judge();
    Ok((report, store.noticed))
}
