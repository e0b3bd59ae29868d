//! What `gpu-report` measures in a process of its own and no other command does: whether the engine works, which
//! libraries the system opens, and which nodes ran where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pixelrnn::compare::{Prepared, prepare};
use pixelrnn::runtime::{EngineKind, Options, OrtEngine, Program, library};
use pixelrnn::{Array, Batch, Declaration, ExportOptions, GraphKind, SampleOptions, sampling};
use serde_json::{Map, Value, json};

use super::environment::LIBRARIES;
use crate::exit::{Failure, usage};
use crate::model::random_batch;

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Measure {
    /// Opens the engine.
    Engine,
    /// Opens the libraries of CUDA.
    Libraries,
    /// Counts nodes by provider.
    Nodes,
}

/// Images of a batch of which nodes are counted.
const IMAGES: usize = 2;

/// Opens the engine, which runs a convolution on the GPU.
pub fn engine(kind: EngineKind, options: &Options) -> Result<Value, Failure> {
    let engine = open(kind, options)?;
    let library = engine.library();
    Ok(json!({
        "version": library.version.to_string(),
        "path": library.path.display().to_string(),
        "cuda": library.has_cuda(),
    }))
}

/// For each library whether the system opens it, or why not.
pub fn libraries() -> Value {
    let state = |name: &str| match library::opens(name) {
        Ok(()) => json!(true),
        Err(reason) => json!(reason),
    };
    LIBRARIES.iter().map(|(name, _)| (name.to_string(), state(name))).collect::<Map<_, _>>().into()
}

/// Runs a graph once, and counts its nodes by the provider that ran them.
pub fn nodes(
    model: &Declaration,
    graph: GraphKind,
    kind: EngineKind,
    options: &Options,
    folder: &Path,
) -> Result<Value, Failure> {
    let engine = open(kind, options)?;
    let weights = model.initialize(0);
    // Plain operators, as on a GPU, whatever the engine.
    let mut export = match graph.samples() {
        true => {
            sampling::options(&engine, &weights, Batch::Fixed(IMAGES), SampleOptions::default())
        }
        false => ExportOptions::default(),
    };
    export.native = false;
    let Prepared { onnx, graph: compiled, feeds } = prepare(model, graph, &weights, &export)?;
    let mut inputs = random_batch(model, IMAGES, 0)?;
    if graph.samples() {
        let numbers = sampling::uniform(model, IMAGES, 0).into_iter();
        let named = model.scales().iter().zip(numbers);
        let named = named.map(|(scale, u)| (format!("{}uniform", scale.prefix()), u));
        // The conditions, without the images.
        inputs = named.chain(inputs.into_iter().skip(1)).collect();
    }
    inputs.extend(feeds);
    let inputs: Vec<(&str, &Array)> = inputs.iter().map(|(n, a)| (n.as_str(), a)).collect();
    let program = Program { name: model.name(), onnx: &onnx, graph: Some(&compiled) };
    let profile = engine.profile(&program, &inputs, folder)?;
    count(&profile).map_err(Failure::Usage)
}

fn open(kind: EngineKind, options: &Options) -> Result<OrtEngine, Failure> {
    match kind {
        EngineKind::OrtCuda => Ok(OrtEngine::cuda(options.ort.clone(), options.cuda)?),
        EngineKind::Ort => Ok(OrtEngine::cpu(options.ort.clone())?),
        _ => usage("only ONNX Runtime tells where its nodes ran: use `ort` or `ort-cuda`"),
    }
}

/// Counts the nodes in a profile of ONNX Runtime. A node in a loop counts once, however often it ran; its runs are
/// counted apart.
fn count(profile: &str) -> Result<Value, String> {
    let events: Value = serde_json::from_str(profile)
        .map_err(|e| format!("cannot read ONNX Runtime's profile: {e}"))?;
    let events = events.as_array().ok_or("ONNX Runtime's profile is not a list of events")?;
    let mut nodes: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    let mut runs: BTreeMap<&str, u64> = BTreeMap::new();
    let mut copies: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events.iter().filter(|event| event["cat"] == "Node") {
        let (Some(name), Some(op)) = (event["name"].as_str(), event["args"]["op_name"].as_str())
        else {
            continue;
        };
        let Some(name) = name.strip_suffix("_kernel_time") else { continue };
        let provider = event["args"]["provider"].as_str().unwrap_or("unknown");
        if op.starts_with("Memcpy") {
            *copies.entry(op).or_default() += 1;
            continue;
        }
        nodes.insert((provider, op, name));
        *runs.entry(provider).or_default() += 1;
    }
    if nodes.is_empty() {
        return Err("ONNX Runtime's profile names no node".to_string());
    }
    let mut providers: BTreeMap<&str, u64> = BTreeMap::new();
    let mut on_cpu: BTreeMap<&str, u64> = BTreeMap::new();
    for (provider, op, _) in &nodes {
        *providers.entry(provider).or_default() += 1;
        if *provider == "CPUExecutionProvider" {
            *on_cpu.entry(op).or_default() += 1;
        }
    }
    Ok(json!({
        "nodes": nodes.len(),
        "providers": providers,
        "runs": runs,
        "on_cpu": on_cpu,
        "copies": copies,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_counted_by_provider() {
        let node = |name: &str, op: &str, provider: &str| {
            json!({ "cat": "Node", "name": format!("{name}_kernel_time"), "dur": 1,
                    "args": { "op_name": op, "provider": provider } })
        };
        let (gpu, cpu) = ("CUDAExecutionProvider", "CPUExecutionProvider");
        let events = json!([
            { "cat": "Session", "name": "model_run", "dur": 5, "args": {} },
            node("a", "Add", gpu), node("a", "Add", gpu), node("b", "Scan", gpu),
            node("c", "Gather", cpu), node("d", "Gather", cpu),
            node("Memcpy_token_1", "MemcpyToHost", gpu),
        ]);
        let counted = count(&events.to_string()).unwrap();
        assert_eq!(counted["nodes"], 4);
        assert_eq!(counted["providers"], json!({ gpu: 2, cpu: 2 }));
        assert_eq!(counted["runs"], json!({ gpu: 3, cpu: 2 }));
        assert_eq!(counted["on_cpu"], json!({ "Gather": 2 }));
        assert_eq!(counted["copies"], json!({ "MemcpyToHost": 1 }));
        assert!(count("[]").unwrap_err().contains("names no node"));
        assert!(count("{").is_err());
    }
}
