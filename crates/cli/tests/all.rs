//! The tests of this floor: they run the program as a user would.

#[path = "all/check.rs"]
mod check;
#[path = "all/data.rs"]
mod data;
#[path = "all/export.rs"]
mod export;
#[path = "all/program.rs"]
mod program;
#[path = "all/run.rs"]
mod run;
#[path = "all/show.rs"]
mod show;
#[path = "all/train.rs"]
mod train;
#[path = "all/tune.rs"]
mod tune;
