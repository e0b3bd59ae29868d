//! The report on an ONNX file, whoever made it.

use std::path::Path;

use pixelrnn::Causality;
use pixelrnn_check::{
    DependError, Hop, Layout, Options, Position, analyse, condense, trace,
};
use pixelrnn::internal::passes::Place;

use super::Report;
use crate::exit::{Failure, usage};
use crate::parse;
use crate::table::grouped;

/// What an ONNX file may leave open.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "For an ONNX file")]
pub struct ForeignArguments {
    /// The input that is the image, if it is not the obvious one
    #[arg(long, value_name = "NAME")]
    input: Option<String>,
    /// The output that holds the logits; by default the first
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// The image's size, where the file leaves it open
    #[arg(long, value_name = "[CxH]xW", value_parser = parse::image)]
    image: Option<[usize; 3]>,
    /// How the input is laid out behind the batch: `chw`, `hwc`
    #[arg(long, value_name = "LAYOUT")]
    input_layout: Option<Layout>,
    /// How the output is: `chw`, `lhw`, `(cl)hw`, `hwcl`, with l for the levels
    #[arg(long, value_name = "LAYOUT")]
    output_layout: Option<Layout>,
    /// Logits for each value, to tell layouts apart
    #[arg(long, value_name = "N")]
    levels: Option<usize>,
}

/// Hops of a path that are shown.
const HOPS: usize = 16;

impl ForeignArguments {
    /// That nobody expects a declaration to obey these.
    pub fn none_given(&self) -> Result<(), Failure> {
        let given = [
            ("--input", self.input.is_some()),
            ("--output", self.output.is_some()),
            ("--image", self.image.is_some()),
            ("--input-layout", self.input_layout.is_some()),
            ("--output-layout", self.output_layout.is_some()),
            ("--levels", self.levels.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => usage(format!(
                "`{flag}` is for ONNX files; a declaration says such things itself (see `--set`)"
            )),
            None => Ok(()),
        }
    }

    /// Analyses a file and judges what it reads.
    pub fn report(&self, file: &str) -> Result<Report, Failure> {
        let path = Path::new(file);
        let fail = |error: DependError| Failure::Foreign { path: path.to_path_buf(), error };
        let bytes = std::fs::read(path).map_err(|error| pixelrnn::Error::Io {
            path: path.to_path_buf(),
            doing: "read",
            error,
        })?;
        let options = Options {
            input: self.input.clone(),
            output: self.output.clone(),
            image: self.image,
            input_layout: self.input_layout.clone(),
            output_layout: self.output_layout.clone(),
            levels: self.levels,
            ..Options::default()
        };
        let found = analyse(&bytes, &options).map_err(fail)?;
        let size = match found.colours {
            1 => format!("{} x {}", found.height, found.width),
            n => format!("{} x {}, {n} colours", found.height, found.width),
        };
        let facts = vec![
            ("images", size),
            ("input", found.input),
            ("output", format!("{}, laid out {}", found.output, found.output_layout)),
            ("nodes", grouped(found.nodes)),
        ];
        let causality = Causality::judge(found.height, found.width, found.colours, found.sets);
        let mut way = Vec::new();
        if let Some(witness) = &causality.witness {
            let hops = trace(&bytes, &options, position(witness.output), position(witness.input));
            way = condense(&hops.map_err(fail)?, HOPS).iter().map(text).collect();
            way.push(format!("{} {}", facts[1].1, witness.input));
        }
        Ok(Report {
            name: file.to_string(),
            facts,
            causality,
            parameters: found.parameters,
            path: way,
            diagnostic: None,
        })
    }
}

fn position(place: Place) -> Position {
    Position { colour: place.colour, row: place.y, column: place.x }
}

fn text(hop: &Hop) -> String {
    let doc = hop.doc.lines().next().unwrap_or("");
    if doc.is_empty() { hop.to_string() } else { format!("{hop}, {doc}") }
}
