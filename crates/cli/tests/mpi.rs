//! The program as several ranks of an MPI job. Needs the feature `mpi` and `mpirun`, of Open MPI or MPICH, in the PATH.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing here takes as long; a job that hangs is ended.
const LONGEST: Duration = Duration::from_secs(240);

/// What a run left.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// The program alone, or several ranks of it: `:` begins the arguments of other ranks, with their number.
fn command(folder: &Path, ranks: usize, arguments: &[&str]) -> Command {
    let program = env!("CARGO_BIN_EXE_pixelrnn");
    let mut command = match ranks {
        0 => Command::new(program),
        _ => {
            let mut command = Command::new("mpirun");
            command.args(["-n", &ranks.to_string(), program]);
            command
        }
    };
    let mut rest = arguments.iter();
    while let Some(&argument) = rest.next() {
        match argument {
            ":" => command.args([":", "-n", rest.next().expect("a number"), program]),
            _ => command.arg(argument),
        };
    }
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        // Of Open MPI, version 4 and 5; others ignore them. These machines may be containers with few cores.
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
        .env("OMPI_MCA_hwloc_base_binding_policy", "none")
        .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
        .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        .env("PRTE_MCA_hwloc_default_binding_policy", "none");
    command
}

fn start(folder: &Path, ranks: usize, arguments: &[&str]) -> Child {
    let mut command = command(folder, ranks, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|e| panic!("these tests need mpirun: {e}"))
}

fn wait(mut child: Child, what: &str) -> Ran {
    let begun = Instant::now();
    let hangs = loop {
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        if begun.elapsed() > LONGEST {
            child.kill().unwrap();
            break true;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!hangs, "{what} hangs: {out}{err}");
    assert!(!err.contains("panicked"), "{what}: {err}");
    Ran { code: output.status.code().unwrap_or(-1), out, err }
}

fn run(folder: &Path, ranks: usize, arguments: &[&str]) -> Ran {
    wait(start(folder, ranks, arguments), &format!("{arguments:?} on {ranks} ranks"))
}

/// A run that should go well; its answer as JSON, which must be printed once.
fn json(folder: &Path, ranks: usize, arguments: &[&str]) -> Value {
    let Ran { code, out, err } = run(folder, ranks, &[arguments, &["--json"]].concat());
    assert_eq!(code, 0, "{arguments:?} on {ranks} ranks: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

/// 59 images to train on, 8 steps an epoch: the last batch has 3, less than shards.
const TRAIN: [&str; 13] = [
    "digits-diagonal",
    "--set",
    "h=4",
    "--set",
    "layers=1",
    "--data",
    "digits,limit=59",
    "--batch",
    "8",
    "--optimizer",
    "adam",
    "--ema",
    "0.9",
];

/// Trains up to this number of steps.
fn train(folder: &Path, ranks: usize, run: &str, steps: u64, more: &[&str]) -> Value {
    let steps = steps.to_string();
    let all = [&["train"], &TRAIN[..], &["--out", run, "--steps", &steps], more].concat();
    json(folder, ranks, &all)
}

/// Goes on up to this number of steps.
fn resume(folder: &Path, ranks: usize, run: &str, steps: u64) -> Value {
    let steps = steps.to_string();
    json(folder, ranks, &["train", "--resume", "--out", run, "--steps", &steps])
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The tensors of a checkpoint: all but the header, which has seconds.
fn tensors(path: PathBuf) -> Vec<u8> {
    let bytes = read(path);
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].to_vec()
}

/// The likelihoods in a log, by event and step.
fn losses(path: PathBuf) -> Vec<(String, Value, Value)> {
    let text = String::from_utf8(read(path)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of = |line: Value| {
        let event = line["event"].as_str().unwrap().to_string();
        (event, line["step"].clone(), line["nats"].clone())
    };
    lines.map(of).filter(|(event, ..)| event == "validation").collect()
}

#[track_caller]
fn assert_same_runs(folder: &Path, a: &str, b: &str) {
    for name in ["last.safetensors", "best.safetensors"] {
        let [a, b] = [a, b].map(|run| tensors(folder.join(run).join(name)));
        assert!(a == b, "{name} differs");
    }
    let [log_a, log_b] = [a, b].map(|run| losses(folder.join(run).join("log.jsonl")));
    assert!(!log_a.is_empty());
    assert_eq!(log_a, log_b);
    let [a, b] = [a, b].map(|run| read(folder.join(run).join("run.json")));
    assert!(a == b, "run.json differs");
}

#[test]
fn ranks_train_to_the_same_bits_as_shards() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let alone = train(folder, 0, "alone", 16, &["--shards", "4"]);
    for ranks in [1, 2, 4] {
        let name = ranks.to_string();
        let answer = train(folder, ranks, &name, 16, &["--shards", "4"]);
        assert_eq!(answer["loss"], alone["loss"], "{ranks} ranks");
        assert_same_runs(folder, "alone", &name);
        assert!(folder.join(&name).join("curve.png").exists());
    }
    // Without --shards, each rank has one; 3 ranks share 8 images.
    train(folder, 0, "three", 9, &["--shards", "3"]);
    train(folder, 3, "by-default", 9, &[]);
    assert_same_runs(folder, "three", "by-default");
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, 0, "whole", 14, &["--shards", "4"]);
    train(folder, 4, "first", 8, &[]);
    resume(folder, 0, "first", 14);
    assert_same_runs(folder, "whole", "first");
    train(folder, 0, "second", 8, &["--shards", "4"]);
    resume(folder, 2, "second", 14);
    assert_same_runs(folder, "whole", "second");
}

#[test]
fn ranks_evaluate_and_sample_what_one_process_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, 0, "run", 9, &["--shards", "2"]);
    let figures = json(folder, 0, &["eval", "run"]);
    let samples = |ranks, file: &str| {
        let answer = json(folder, ranks, &["sample", "run", "-n", "37", "--seed", "3", "-o", file]);
        assert_eq!(answer["images"], 37);
        read(folder.join(file))
    };
    let complete = |ranks, file: &str| {
        let (all, data) = (["sample", "run", "-n", "5", "-o", file], "digits,limit=59");
        let all = [&all[..], &["--complete", data, "--keep-rows", "3", "--completions", "3"]];
        json(folder, ranks, &all.concat());
        read(folder.join(file))
    };
    let (drawn, completed) = (samples(0, "alone.npy"), complete(0, "completed.npy"));
    for ranks in [2, 4] {
        assert_eq!(json(folder, ranks, &["eval", "run"]), figures, "{ranks} ranks");
        assert!(samples(ranks, &format!("{ranks}.npy")) == drawn, "{ranks} ranks");
        assert!(complete(ranks, &format!("{ranks}-completed.npy")) == completed, "{ranks} ranks");
    }
    // Other commands run once.
    assert_eq!(json(folder, 2, &["zoo"]), json(folder, 0, &["zoo"]));
}

/// The error, which must be printed once.
#[track_caller]
fn refused(folder: &Path, ranks: usize, arguments: &[&str], text: &str) {
    let Ran { code, out, err } = run(folder, ranks, arguments);
    assert_eq!(code, 2, "{arguments:?}: {out}{err}");
    assert_eq!(out, "", "{arguments:?}");
    assert_eq!(err.matches("error:").count(), 1, "{arguments:?}: {err}");
    assert!(err.contains(text), "{arguments:?}: {err}");
}

#[test]
fn what_ranks_cannot_do_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let base = [&["train"], &TRAIN[..], &["--steps", "2", "--out", "run"]].concat();
    let with = |more: &[&'static str]| [&base[..], more].concat();
    refused(folder, 4, &with(&["--shards", "3"]), "invalid number of shards 3 (`--shards`)");
    refused(folder, 4, &with(&["--batch", "0"]), "--batch");
    // The first number has to go, since an option is given once.
    let small: Vec<&str> = with(&[]).into_iter().map(|a| if a == "8" { "3" } else { a }).collect();
    refused(folder, 4, &small, "invalid batch size 3 (`--batch`) for 4 ranks");
    refused(folder, 2, &["train", "no-such-model"], "error:");
    refused(folder, 2, &["eval", "no-such-run"], "no-such-run");
    assert!(!folder.join("run").exists());

    // A rank that is told something else, or that fails alone, ends all.
    let other = [&with(&[])[..], &[":", "1"], &with(&["--seed", "1"])].concat();
    refused(folder, 1, &other, "rank 1 was started with other settings");
    let missing: Vec<&str> = with(&[])
        .into_iter()
        .map(|a| if a.starts_with("digits,") { "idx:nowhere" } else { a })
        .collect();
    let alone = [&with(&[])[..], &[":", "1"], &missing].concat();
    refused(folder, 1, &alone, "nowhere");
    let Ran { err, .. } = run(folder, 1, &alone);
    assert!(err.contains("rank 1 of 2 on "), "{err}");
    assert!(!folder.join("run").exists());

    train(folder, 0, "run", 2, &["--shards", "2"]);
    refused(folder, 2, &with(&[]), "already contains a run");
    let resume = ["train", "--resume", "--out", "run", "--steps", "4"];
    refused(folder, 3, &resume, "Start at most 2 ranks");
    std::fs::write(folder.join("run/last.safetensors"), b"?").unwrap();
    refused(folder, 2, &resume, "last.safetensors is damaged");
}

#[test]
fn a_run_that_diverges_ends_with_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--steps", "50", "--out", "run", "--lr", "1e30"];
    let all = [&["train"], &TRAIN[..], &more].concat();
    let Ran { code, err, .. } = run(folder.path(), 2, &all);
    assert_eq!(code, 1, "{err}");
    assert_eq!(err.matches("error:").count(), 1, "{err}");
    assert!(err.contains("Lower the learning rate"), "{err}");
}

/// The process of a rank, by what its launcher has told it.
#[cfg(target_os = "linux")]
fn process_of_rank(launcher: u32, rank: usize) -> Option<u32> {
    let told = ["OMPI_COMM_WORLD_RANK", "PMI_RANK"].map(|name| format!("{name}={rank}"));
    let processes = std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parent = |process: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // After the name, which is in parentheses.
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
    };
    let descends = |process: u32| {
        let line = std::iter::successors(Some(process), |&process| parent(process));
        line.take(8).any(|ancestor| ancestor == launcher)
    };
    let is_rank = |process: &u32| {
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let mut entries = environment.split(|&byte| byte == 0);
        entries.any(|entry| told.iter().any(|told| told.as_bytes() == entry)) && descends(*process)
    };
    processes.filter(|&process| runs_program(process)).find(is_rank)
}

/// Whether a process runs the program; one that has ended does not, even if nobody has asked for its exit code.
#[cfg(target_os = "linux")]
fn runs_program(process: u32) -> bool {
    let path = std::fs::read_link(format!("/proc/{process}/exe")).ok();
    path.is_some_and(|path| path == Path::new(env!("CARGO_BIN_EXE_pixelrnn")))
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_rank_ends_the_job_and_the_run_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for rank in [0, 1] {
        let name = format!("killed-{rank}");
        let last = folder.join(&name).join("last.safetensors");
        let more = ["--steps", "1000000", "--out", &name, "--checkpoint-every", "0.05", "--quiet"];
        let job = start(folder, 2, &[&["train"], &TRAIN[..], &more].concat());
        let begun = Instant::now();
        let step = |log: &str| log.lines().filter(|line| line.contains("\"step\"")).count();
        let log = || std::fs::read_to_string(folder.join(&name).join("log.jsonl"));
        // Some steps, and a checkpoint after them.
        while !last.exists() || log().map_or(0, |log| step(&log)) < 4 {
            assert!(begun.elapsed() < LONGEST, "no steps");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
        let process = process_of_rank(job.id(), rank).expect("a process");
        let other = process_of_rank(job.id(), 1 - rank).expect("a process");
        let killed = Command::new("kill").args(["-9", &process.to_string()]).status();
        assert!(killed.unwrap().success());
        let Ran { code, err, .. } = wait(job, "a job with a killed rank");
        assert_ne!(code, 0, "{err}");
        let ended = Instant::now();
        while runs_program(other) {
            assert!(ended.elapsed() < Duration::from_secs(20), "the other rank lives on");
            std::thread::sleep(Duration::from_millis(20));
        }

        let saved = read(last.clone());
        let text = String::from_utf8_lossy(&saved[..600.min(saved.len())]).into_owned();
        let at = text.split("\\\"step\\\":").nth(1).unwrap_or_else(|| panic!("{text}"));
        let digits: String = at.chars().take_while(char::is_ascii_digit).collect();
        let saved: u64 = digits.parse().unwrap();
        assert!(saved > 0);
        // On one process, to the same bits as a run that nobody killed.
        resume(folder, 0, &name, saved + 5);
        let whole = format!("whole-{rank}");
        train(folder, 0, &whole, saved + 5, &["--shards", "2", "--checkpoint-every", "0.05"]);
        assert_same_runs(folder, &whole, &name);
    }
}
