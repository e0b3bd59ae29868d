//! `pixelrnn._check`: the analysis of `pixelrnn-check`, for the Python package `pixelrnn`.
//!
//! The interface for Python programs is written in Python, in `python/pixelrnn`. This module only
//! provides the numbers and sets of a report.

use std::path::PathBuf;
use std::time::Duration;

use pixelrnn_check::{
    CheckError, Hop, Options, Part, Position, Report, Unseen, check_bytes, explain, load, shown,
    trace,
};
use pyo3::create_exception;
use pyo3::exceptions::{PyIndexError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

create_exception!(
    _check,
    ModelError,
    PyValueError,
    "The model cannot be analyzed: it is invalid, not supported, or too large."
);

fn error(e: CheckError) -> PyErr {
    match e {
        CheckError::File { .. } => PyOSError::new_err(e.to_string()),
        CheckError::Position { .. } => PyIndexError::new_err(e.to_string()),
        other => ModelError::new_err(other.to_string()),
    }
}

/// A position: row, column, color.
type Place = (usize, usize, usize);

fn position((row, column, colour): Place) -> Position {
    Position { colour, row, column }
}

fn place(p: Position) -> Place {
    (p.row, p.column, p.colour)
}

/// A hop of a path: operator, node, module, source, element, shape, text.
type HopParts = (String, String, String, String, Vec<usize>, Vec<usize>, String);

fn parts(hop: &Hop) -> HopParts {
    let source = if hop.source.is_empty() { &hop.doc } else { &hop.source };
    (
        shown(&hop.op_type).to_string(),
        shown(&hop.node).to_string(),
        shown(&hop.module).to_string(),
        shown(source.lines().next().unwrap_or("")).to_string(),
        hop.element.clone(),
        hop.shape.clone(),
        hop.to_string(),
    )
}

/// The result of checking a model.
#[pyclass(frozen, module = "pixelrnn._check")]
struct Found {
    report: Report,
    bytes: Vec<u8>,
    options: Options,
}

#[pymethods]
impl Found {
    /// All numbers and names of the report.
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let r = &self.report;
        let d = PyDict::new(py);
        d.set_item("verdict", r.verdict.to_string())?;
        d.set_item("colors", r.colours)?;
        d.set_item("height", r.height)?;
        d.set_item("width", r.width)?;
        d.set_item("levels", r.levels)?;
        d.set_item("whole_pixels", r.whole_pixels)?;
        d.set_item("own_place", r.own_place)?;
        d.set_item("order", r.order.to_string())?;
        d.set_item("range", r.range)?;
        d.set_item("input", &r.input)?;
        d.set_item("output", &r.output)?;
        d.set_item("output_layout", r.output_layout.to_string())?;
        let roles: Vec<_> = r.inputs.iter().map(|i| (&i.name, i.role.to_string())).collect();
        d.set_item("inputs", roles)?;
        d.set_item("nodes", r.nodes)?;
        d.set_item("parameters", r.parameters)?;
        d.set_item("outputs", r.outputs())?;
        d.set_item("leaking_outputs", r.leaking_outputs)?;
        d.set_item("blind_share", r.blind_share)?;
        d.set_item("conditions", &r.conditions)?;
        let uncertain: Vec<_> = r.uncertain.iter().map(|u| (&u.op_type, &u.node)).collect();
        d.set_item("uncertain", uncertain)?;
        d.set_item("hint", &r.hint)?;
        d.set_item("holds", r.holds.as_ref().map(|h| h.kind.to_string()))?;
        let part = |p: &Part| (p.output.clone(), p.input.clone(), p.verdict.to_string());
        d.set_item("parts", r.parts.iter().map(part).collect::<Vec<_>>())?;
        d.set_item("leak", r.leak.map(|l| (place(l.output), place(l.input))))?;
        Ok(d)
    }

    /// One byte for each pair of an output and a value of the image, both in the order rows,
    /// columns, colors: 1 if the output depends on the value, else 0.
    ///
    /// Raises ValueError if that is more than `memory` bytes.
    fn dependencies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let n = self.report.values();
        let size = self.report.outputs().checked_mul(n).filter(|&s| s <= self.options.memory);
        let size = size.ok_or_else(|| {
            PyValueError::new_err(
                "the array is larger than `memory` allows; ask for single outputs",
            )
        })?;
        PyBytes::new_with(py, size, |bytes| {
            for (output, row) in bytes.chunks_exact_mut(n.max(1)).enumerate() {
                self.fill(output, row);
            }
            Ok(())
        })
    }

    /// The same for one output. Raises IndexError if it is outside of the image.
    fn reads<'py>(&self, py: Python<'py>, output: Place) -> PyResult<Bound<'py, PyBytes>> {
        let output = self.output(output)?;
        PyBytes::new_with(py, self.report.values(), |row| {
            self.fill(output, row);
            Ok(())
        })
    }

    /// The first `limit` outputs that leak, each with the first value that it must not depend on.
    fn leaks(&self, limit: usize) -> Vec<(Place, Place)> {
        let r = &self.report;
        let leak = |o: usize| {
            let value = r.first_from(o, r.limit(o))?;
            Some((place(r.output_position(o)), place(r.position(value))))
        };
        (0..r.outputs()).filter_map(leak).take(limit).collect()
    }

    /// The path from an output back to a value of the image. Raises ModelError if there is none.
    fn path(&self, py: Python<'_>, output: Place, value: Place) -> PyResult<Vec<HopParts>> {
        self.output(output)?;
        let (o, v) = (position(output), position(value));
        let hops = py.detach(|| trace(&self.bytes, &self.options, &self.report, o, v));
        Ok(hops.map_err(error)?.iter().map(parts).collect())
    }

    /// Why an output does not depend on a value: the hop that stops the dependency, or None if
    /// nothing in the graph connects them.
    fn explain(&self, py: Python<'_>, output: Place, value: Place) -> PyResult<Option<HopParts>> {
        self.output(output)?;
        let (o, v) = (position(output), position(value));
        let why = py.detach(|| explain(&self.bytes, &self.options, &self.report, o, v));
        Ok(match why.map_err(error)? {
            Unseen::OutOfReach => None,
            Unseen::Stopped(hop) => Some(parts(&hop)),
        })
    }
}

impl Found {
    /// The index of an output. Raises IndexError if it is outside of the image.
    fn output(&self, (row, column, colour): Place) -> PyResult<usize> {
        let r = &self.report;
        if row >= r.height || column >= r.width || colour >= r.colours {
            let size = format!("{} x {}, {} colors", r.height, r.width, r.colours);
            let text = format!("({row}, {column}, {colour}) is outside of the image: {size}");
            return Err(PyIndexError::new_err(text));
        }
        Ok(r.output_at(Position { colour, row, column }))
    }

    /// Sets the bytes of the values that an output depends on. Values are in the order rows,
    /// columns, colors, whatever the order of the report.
    fn fill(&self, output: usize, row: &mut [u8]) {
        let r = &self.report;
        for value in r.reads(output).into_iter().flatten() {
            let p = r.position(value);
            let at = (p.row * r.width + p.column) * r.colours + p.colour;
            if let Some(slot) = row.get_mut(at) {
                *slot = 1;
            }
        }
    }
}

fn parsed<T: std::str::FromStr>(text: Option<String>) -> PyResult<Option<T>>
where
    T::Err: std::fmt::Display,
{
    text.map(|t| t.parse::<T>().map_err(|e| PyValueError::new_err(e.to_string()))).transpose()
}

fn options(given: &Bound<'_, PyDict>) -> PyResult<Options> {
    let usual = Options::default();
    let get = |name: &str| given.get_item(name).map(|v| v.filter(|v| !v.is_none()));
    let text = |name: &str| get(name)?.map(|v| v.extract::<String>()).transpose();
    let image = get("image")?.map(|v| v.extract::<(usize, usize, usize)>()).transpose()?;
    let seconds = get("time")?.map(|v| v.extract::<f64>()).transpose()?;
    let time = match seconds.map(Duration::try_from_secs_f64).transpose() {
        Ok(time) => time,
        Err(_) => {
            return Err(PyValueError::new_err("invalid `time`: expected a number of seconds"));
        }
    };
    let range = get("range")?.map(|v| v.extract::<(f64, f64)>()).transpose()?;
    if range.is_some_and(|(lo, hi)| !(lo <= hi && lo.is_finite() && hi.is_finite())) {
        return Err(PyValueError::new_err(
            "invalid `range`: expected two numbers, the smaller first",
        ));
    }
    Ok(Options {
        input: text("input")?,
        output: text("output")?,
        image: image.map(|(c, h, w)| [c, h, w]),
        input_layout: parsed(text("input_layout")?)?,
        output_layout: parsed(text("output_layout")?)?,
        levels: get("levels")?.map(|v| v.extract()).transpose()?,
        order: parsed(text("order")?)?,
        range,
        conditions: get("conditions")?.map_or(Ok(true), |v| v.extract())?,
        memory: get("memory")?.map_or(Ok(usual.memory), |v| v.extract())?,
        time: time.unwrap_or(usual.time),
        folder: None,
    })
}

fn found(bytes: Vec<u8>, options: Options) -> Result<Found, CheckError> {
    let report = check_bytes(&bytes, &options)?;
    Ok(Found { report, bytes, options })
}

/// Checks a file. Raises OSError if it cannot be read, and ModelError if it cannot be analyzed.
#[pyfunction]
fn check_file(py: Python<'_>, path: PathBuf, given: &Bound<'_, PyDict>) -> PyResult<Found> {
    let options = options(given)?;
    let run = || load(&path, &options).and_then(|(bytes, options)| found(bytes, options));
    py.detach(run).map_err(error)
}

/// Checks the bytes of a model. Raises ModelError if they cannot be analyzed.
#[pyfunction]
fn check_model(py: Python<'_>, bytes: Vec<u8>, given: &Bound<'_, PyDict>) -> PyResult<Found> {
    let options = options(given)?;
    py.detach(|| found(bytes, options)).map_err(error)
}

#[pymodule]
fn _check(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("ModelError", m.py().get_type::<ModelError>())?;
    m.add_class::<Found>()?;
    m.add_function(wrap_pyfunction!(check_file, m)?)?;
    m.add_function(wrap_pyfunction!(check_model, m)?)
}
