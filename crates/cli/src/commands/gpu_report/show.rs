//! The report as text, from its JSON.

use serde_json::Value;

use super::plan::PEERS;
use crate::table::{Align, Table};

/// Everything in the report.
pub fn text(report: &Value) -> String {
    let mut text = environment(report);
    let items = |kind: &'static str| {
        let all = report["items"].as_array().into_iter().flatten();
        all.filter(move |item| item["kind"] == kind).collect::<Vec<_>>()
    };
    let sections = [
        ("Numbers beside `reference`", compared(&items("compare"))),
        ("Nodes by provider", nodes(&items("nodes"))),
        ("Speed", speed(report, &items("bench"), &items("peer"))),
    ];
    for (title, table) in sections {
        if let Some(table) = table {
            text.push_str(&format!("\n{title}\n{table}"));
        }
    }
    let failed = failures(report);
    if !failed.is_empty() {
        text.push_str(&format!("\nNot measured\n{failed}"));
    }
    text
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "?".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn environment(report: &Value) -> String {
    let all = &report["environment"];
    let mut text = format!(
        "pixelrnn {}, engine {}, {}, {} cores\n",
        word(&report["pixelrnn"]),
        word(&report["engine"]),
        word(&all["os"]),
        word(&all["cores"]),
    );
    for gpu in all["gpus"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "GPU: {}, driver {}, compute capability {}, {} of {} MiB in use, {} of {} MHz, MIG {}\n",
            word(&gpu["name"]),
            word(&gpu["driver_version"]),
            word(&gpu["compute_cap"]),
            word(&gpu["memory.used"]),
            word(&gpu["memory.total"]),
            word(&gpu["clocks.sm"]),
            word(&gpu["clocks.max.sm"]),
            word(&gpu["mig.mode.current"]),
        ));
    }
    for line in all["missing"].as_array().into_iter().flatten() {
        text.push_str(&format!("missing: {}\n", word(line)));
    }
    let folders: Vec<String> =
        all["library_folders"].as_array().into_iter().flatten().map(word).collect();
    if !folders.is_empty() {
        text.push_str(&format!(
            "library folders that the system does not search, used here: {}\n",
            folders.join(":")
        ));
    }
    let runtime = &all["onnx_runtime"];
    match (&runtime["error"], &runtime["version"]) {
        (Value::String(error), _) => text.push_str(&format!("ONNX Runtime: {error}\n")),
        (_, Value::String(version)) => {
            text.push_str(&format!("ONNX Runtime {version}, {}\n", word(&runtime["path"])));
        }
        _ => {}
    }
    if let Some(python) = all["python"]["version"].as_str() {
        text.push_str(&format!("Python {python}"));
        for (package, name) in PEERS {
            let version = all["python"][package].as_str();
            text.push_str(
                &version.map_or(format!(", {name}: not found"), |v| format!(", {name} {v}")),
            );
        }
        text.push('\n');
    } else if all["python"].is_null() {
        text.push_str("Python: not found, so neither PyTorch nor JAX\n");
    }
    if all["unchanged"] == false {
        text.push_str("warning: a setting of the GPU is not what it was before: see report.json\n");
    }
    text
}

/// The items that were measured.
fn done<'a>(items: &'a [&'a Value]) -> impl Iterator<Item = &'a Value> {
    items.iter().copied().filter(|item| item["state"] == "done")
}

fn compared(items: &[&Value]) -> Option<Table> {
    let mut table = Table::new([
        ("model", Align::Left),
        ("graph", Align::Left),
        ("outputs", Align::Right),
        ("absolute", Align::Right),
        ("relative", Align::Right),
        ("within tolerance", Align::Left),
    ]);
    let mut any = false;
    for item in done(items) {
        any = true;
        let rows = item["result"]["differences"].as_array().map_or(&[][..], Vec::as_slice);
        let worst = |field: &str| {
            // Infinite differences are null.
            let values = rows.iter().map(|row| row[field].as_f64().unwrap_or(f64::INFINITY));
            format!("{:.1e}", values.fold(0.0, f64::max))
        };
        table.row([
            word(&item["model"]),
            word(&item["graph"]),
            rows.len().to_string(),
            worst("absolute"),
            worst("relative"),
            if item["result"]["within"] == true { "yes" } else { "NO" }.to_string(),
        ]);
    }
    any.then_some(table)
}

fn nodes(items: &[&Value]) -> Option<Table> {
    let mut table = Table::new([
        ("model", Align::Left),
        ("graph", Align::Left),
        ("nodes", Align::Right),
        ("by provider", Align::Left),
        ("copies", Align::Right),
        ("on the CPU", Align::Left),
    ]);
    let mut any = false;
    for item in done(items) {
        any = true;
        let result = &item["result"];
        let pairs = |value: &Value, separator: &str| {
            let pairs = value.as_object().into_iter().flatten();
            let pairs = pairs
                .map(|(name, n)| format!("{} {n}", name.trim_end_matches("ExecutionProvider")));
            pairs.collect::<Vec<_>>().join(separator)
        };
        let copies = result["copies"].as_object().into_iter().flatten();
        let copies: u64 = copies.filter_map(|(_, n)| n.as_u64()).sum();
        // On a CPU that is everything.
        let all_here = result["providers"].as_object().is_none_or(|p| p.len() < 2);
        let cpu = if all_here { String::new() } else { pairs(&result["on_cpu"], ", ") };
        table.row([
            word(&item["model"]),
            word(&item["graph"]),
            word(&result["nodes"]),
            pairs(&result["providers"], ", "),
            copies.to_string(),
            cpu,
        ]);
    }
    any.then_some(table)
}

fn speed(report: &Value, benches: &[&Value], peers: &[&Value]) -> Option<Table> {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut times = Vec::new();
    for item in done(benches) {
        let result = &item["result"]["results"][0];
        let variant = format!("{} {}", word(&report["engine"]), word(&item["variant"]));
        rows.push([word(&item["model"]), word(&item["graph"]), variant]);
        times.push(result["median_ms"].as_f64());
    }
    for item in done(peers) {
        let result = &item["result"];
        let name = PEERS.iter().find(|(package, _)| result["peer"] == *package);
        let name = name.map_or_else(|| word(&result["peer"]), |(_, name)| (*name).to_string());
        for row in result["results"].as_array().into_iter().flatten() {
            let tf32 = if row["tf32"] == true { " tf32" } else { "" };
            let variant = format!("{name} {}{tf32}", word(&result["version"]));
            rows.push([word(&item["model"]), word(&row["graph"]), variant]);
            times.push(row["median_ms"].as_f64());
        }
    }
    let mut all: Vec<_> = rows.into_iter().zip(times).collect();
    // One model and graph below the other, in the order of the measurements otherwise.
    all.sort_by(|(a, _), (b, _)| a[..2].cmp(&b[..2]));
    let mut table = Table::new([
        ("model", Align::Left),
        ("graph", Align::Left),
        ("what", Align::Left),
        ("call ms", Align::Right),
        ("images/s", Align::Right),
    ]);
    let batch = report["batch"].as_f64().unwrap_or(f64::NAN);
    for ([model, graph, variant], ms) in &all {
        let ms = ms.unwrap_or(f64::NAN);
        let rate = format!("{:.0}", batch * 1e3 / ms);
        table.row([model.clone(), graph.clone(), variant.clone(), format!("{ms:.3}"), rate]);
    }
    (!all.is_empty()).then_some(table)
}

/// What was not measured, and why; what had no time is counted.
fn failures(report: &Value) -> String {
    let mut text = String::new();
    let mut late = 0;
    for item in report["items"].as_array().into_iter().flatten() {
        if item["state"] == "done" {
            continue;
        }
        let reason = word(&item["reason"]);
        if reason == "no time was left" {
            late += 1;
            continue;
        }
        let words = ["kind", "peer", "model", "graph", "variant"];
        let name: Vec<&str> = words.iter().filter_map(|field| item[*field].as_str()).collect();
        // Python says at the end what is wrong, this program at the beginning.
        let line = match item["kind"] == "peer" {
            true => reason.lines().next_back(),
            false => reason.lines().next(),
        };
        let line = line.unwrap_or_default();
        text.push_str(&format!("{}: {}: {line}\n", name.join(" "), word(&item["state"])));
    }
    if late > 0 {
        text.push_str(&format!("no time was left for {late} of the measurements\n"));
    }
    for name in report["peers_not_found"].as_array().into_iter().flatten() {
        text.push_str(&format!("{}: not found\n", word(name)));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn a_report_is_shown() {
        let cuda = "CUDAExecutionProvider";
        let nodes = json!({
            "nodes": 9, "providers": { cuda: 7, "CPUExecutionProvider": 2 },
            "on_cpu": { "Gather": 2 }, "copies": { "MemcpyToHost": 3, "MemcpyFromHost": 1 },
        });
        let times = json!([{ "graph": "train", "tf32": true, "median_ms": 8.0 }]);
        let report = json!({
            "pixelrnn": "1.2.3", "engine": "ort-cuda", "batch": 16,
            "environment": {
                "os": "linux", "cores": 4, "missing": ["a thing"], "unchanged": false,
                "gpus": [{ "name": "NVIDIA H100", "memory.used": 4.0 }],
                "python": { "version": "3.12", "torch": "2.15" },
            },
            "peers_not_found": ["JAX"],
            "items": [
                { "kind": "compare", "model": "m", "graph": "grad", "state": "done", "result": {
                    "within": false, "differences": [{ "absolute": null, "relative": 0.5 }] } },
                { "kind": "nodes", "model": "m", "graph": "train", "state": "done", "result": nodes },
                { "kind": "bench", "model": "m", "graph": "train", "variant": "unroll graph",
                  "state": "done", "result": { "results": [{ "median_ms": 4.0 }] } },
                { "kind": "peer", "model": "m", "peer": "torch", "state": "done",
                  "result": { "peer": "torch", "version": "2.15", "results": times } },
                { "kind": "peer", "model": "n", "peer": "torch", "state": "failed",
                  "reason": "Traceback\n  ...\nRuntimeError: no memory" },
                { "kind": "bench", "model": "n", "graph": "train", "variant": "scan",
                  "state": "timeout", "reason": "no time was left" },
            ],
        });
        let shown = text(&report);
        let rows: Vec<String> = shown
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for row in [
            "missing: a thing",
            "m grad 1 inf 5.0e-1 NO",
            "m train 9 CUDA 7, CPU 2 4 Gather 2",
            "m train ort-cuda unroll graph 4.000 4000",
            "m train PyTorch 2.15 tf32 8.000 2000",
            "peer torch n: failed: RuntimeError: no memory",
            "no time was left for 1 of the measurements",
            "JAX: not found",
        ] {
            assert!(rows.iter().any(|r| r == row), "{row}: {shown}");
        }
        assert!(shown.contains("warning: a setting of the GPU"), "{shown}");
        assert!(shown.contains("GPU: NVIDIA H100, driver ?"), "{shown}");
    }
}
