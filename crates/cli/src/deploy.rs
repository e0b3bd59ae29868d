//! The deployment options of `export`: element types, image layouts, and a model repository for an
//! inference server.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pixelrnn::{Declaration, Dtype, ExportOptions, ImageFormat, ImageLayout, files, triton};
use serde_json::json;

use crate::exit::{ExitCode, Failure};
use crate::out::Out;
use crate::table;

/// Deployment options.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Deployment")]
pub struct Deploy {
    /// Element type: `f32`, `f16`, `bf16`, `int8`; not for graphs of training
    #[arg(long, value_name = "TYPE", default_value = "f32", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(Dtype::ALL.map(Dtype::name))
              .try_map(|text| text.parse::<Dtype>()))]
    dtype: Dtype,
    /// Layout of images: `nhwc` or `nchw` [default: nhwc for `sample`, else nchw]
    #[arg(long, value_name = "LAYOUT", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(["nhwc", "nchw"])
              .try_map(|text| text.parse::<ImageLayout>()))]
    layout: Option<ImageLayout>,
    /// Images as `f32` or `uint8`, for `forward`, `nll` and `sample`
    #[arg(long, value_name = "TYPE", default_value = "f32", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(["f32", "uint8"]))]
    image: String,
    /// Write a model repository for NVIDIA Triton or KServe: a new folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "graph"])]
    pub triton: Option<PathBuf>,
}

impl Deploy {
    /// The element type of the exported model.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The format of input and output images.
    pub fn images(&self) -> ImageFormat {
        ImageFormat { layout: self.layout, bytes: self.image == "uint8" }
    }
}

/// Checks that a model repository can be written, before the models are compiled.
pub fn check_folder(folder: &Path) -> Result<(), Failure> {
    Ok(files::new_folder(folder)?)
}

/// Writes a model repository, and reports its files.
pub fn write_repository(
    folder: &Path,
    model: &Declaration,
    options: &ExportOptions,
    out: &Out,
) -> Result<ExitCode, Failure> {
    let repository = triton::repository(model, options)?;
    files::write_folder(folder, &repository)?;
    let shown = folder.display().to_string();
    let lines = repository.iter().map(|(path, bytes)| {
        format!("{}: {}", folder.join(path).display(), table::bytes(bytes.len()))
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let models = triton::MODELS.map(|(name, _)| name);
    out.report(&text, &json!({ "triton": shown, "models": models }))?;
    Ok(ExitCode::Good)
}
