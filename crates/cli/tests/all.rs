//! All tests of this crate in one binary. They run the program as a user would.

#[path = "all/book.rs"]
mod book;
#[path = "all/check.rs"]
mod check;
#[path = "all/conditions.rs"]
mod conditions;
#[path = "all/data.rs"]
mod data;
#[path = "all/deploy.rs"]
mod deploy;
#[path = "all/export.rs"]
mod export;
#[path = "all/gpu_report.rs"]
mod gpu_report;
#[path = "all/messages.rs"]
mod messages;
#[path = "all/npz.rs"]
mod npz;
#[path = "all/program.rs"]
mod program;
#[path = "all/records.rs"]
mod records;
#[path = "all/run.rs"]
mod run;
#[path = "all/show.rs"]
mod show;
#[path = "all/train.rs"]
mod train;
#[path = "all/tune.rs"]
mod tune;
#[path = "all/web.rs"]
mod web;
