//! The tests of the whole project, in one binary: properties that involve several crates.

#[path = "all/book.rs"]
mod book;
#[path = "all/build.rs"]
mod build;
#[path = "all/common.rs"]
mod common;
#[path = "all/composites.rs"]
mod composites;
#[path = "all/conditions.rs"]
mod conditions;
#[path = "all/context.rs"]
mod context;
#[path = "all/cuda.rs"]
mod cuda;
#[path = "all/declared.rs"]
mod declared;
#[path = "all/deploy.rs"]
mod deploy;
#[path = "all/determinism.rs"]
mod determinism;
#[path = "all/device.rs"]
mod device;
#[path = "all/errors.rs"]
mod errors;
#[path = "all/external.rs"]
mod external;
#[path = "all/faults.rs"]
mod faults;
#[path = "all/floors.rs"]
mod floors;
#[path = "all/footprints.rs"]
mod footprints;
#[path = "all/gradients.rs"]
mod gradients;
#[path = "all/language.rs"]
mod language;
#[path = "all/likelihood.rs"]
mod likelihood;
#[path = "all/models.rs"]
mod models;
#[path = "all/native.rs"]
mod native;
#[path = "all/ops.rs"]
mod ops;
#[path = "all/pass_files.rs"]
mod pass_files;
#[path = "all/ranks.rs"]
mod ranks;
#[path = "all/remat.rs"]
mod remat;
#[path = "all/sampling.rs"]
mod sampling;
#[path = "all/second_reader.rs"]
mod second_reader;
#[path = "all/streaming.rs"]
mod streaming;
#[path = "all/text.rs"]
mod text;
#[path = "all/tidy.rs"]
mod tidy;
#[path = "all/tolerance.rs"]
mod tolerance;
#[path = "all/tract_sampling.rs"]
mod tract_sampling;
#[path = "all/trainer.rs"]
mod trainer;
#[path = "all/training.rs"]
mod training;
