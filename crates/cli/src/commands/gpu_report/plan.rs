//! What `gpu-report` measures, the most useful first.

use std::time::Duration;

use pixelrnn::runtime::EngineKind;
use pixelrnn::zoo::ZOO;
use serde_json::{Value, json};

/// The models whose speed is measured by default, and that the peers have, too.
pub const MNIST: [&str; 3] = ["mnist-pixelcnn", "mnist-row-lstm", "mnist-diagonal"];

/// The other frameworks: their package, and their name.
pub const PEERS: [(&str, &str); 2] = [("torch", "PyTorch"), ("jax", "JAX")];

/// How a call of `bench` differs from the usual one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    pub unroll: bool,
    pub graph: bool,
    pub tf32: bool,
}

impl Variant {
    /// `scan`, `unroll`, with `graph` and `tf32` if so.
    pub fn name(self) -> String {
        let mut name = if self.unroll { "unroll" } else { "scan" }.to_string();
        for (set, word) in [(self.graph, " graph"), (self.tf32, " tf32")] {
            if set {
                name.push_str(word);
            }
        }
        name
    }
}

/// Something to measure in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The numbers of the engine beside those of the reference interpreter.
    Compare { model: String, graph: &'static str },
    /// Which nodes run where.
    Nodes { model: String, graph: &'static str },
    /// Times.
    Bench { model: String, graph: &'static str, variant: Variant },
    /// Times of another framework: its package.
    Peer { model: String, peer: &'static str },
}

impl Item {
    /// The longest that it may take.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(match self {
            Item::Compare { .. } | Item::Nodes { .. } => 45,
            Item::Bench { .. } | Item::Peer { .. } => 75,
        })
    }

    /// What names it in the report.
    pub fn json(&self) -> Value {
        match self {
            Item::Compare { model, graph } => {
                json!({ "kind": "compare", "model": model, "graph": graph })
            }
            Item::Nodes { model, graph } => {
                json!({ "kind": "nodes", "model": model, "graph": graph })
            }
            Item::Bench { model, graph, variant } => json!({
                "kind": "bench", "model": model, "graph": graph, "variant": variant.name(),
            }),
            Item::Peer { model, peer } => json!({ "kind": "peer", "model": model, "peer": peer }),
        }
    }

    /// Its name in a line.
    pub fn name(&self) -> String {
        match self {
            Item::Compare { model, graph } => format!("compare {model} {graph}"),
            Item::Nodes { model, graph } => format!("nodes {model} {graph}"),
            Item::Bench { model, graph, variant } => {
                format!("bench {model} {graph} {}", variant.name())
            }
            Item::Peer { model, peer } => format!("{peer} {model}"),
        }
    }
}

/// Everything, in order. `models` replaces the usual ones.
pub fn items(models: &[String], engine: EngineKind, peers: &[&'static str]) -> Vec<Item> {
    let small = || ZOO.iter().map(|e| e.name).filter(|name| name.starts_with("digits-"));
    let (compared, timed): (Vec<String>, Vec<String>) = match models {
        [] => (small().map(str::to_string).collect(), MNIST.map(str::to_string).into()),
        given => (given.to_vec(), given.to_vec()),
    };
    let cuda = engine == EngineKind::OrtCuda;
    let mut items = Vec::new();
    // One graph of every model first. Gradients rather than the step: RMSProp divides a gradient by its own size, so
    // that rounding decides what becomes of one that is nearly zero.
    for graph in ["grad", "forward"] {
        let of = |model: &String| Item::Compare { model: model.clone(), graph };
        items.extend(compared.iter().map(of));
    }
    for graph in ["train", "forward", "sample"] {
        items.extend(timed.iter().map(|model| Item::Nodes { model: model.clone(), graph }));
    }
    let plain = Variant::default();
    let mut bench = |variant: Variant, graphs: &[&'static str]| {
        for &graph in graphs {
            let of = |model: &String| Item::Bench { model: model.clone(), graph, variant };
            items.extend(timed.iter().map(of));
        }
    };
    bench(plain, &["train", "forward", "sample"]);
    // Only an unrolled graph can be captured.
    let unroll = Variant { unroll: true, ..plain };
    if cuda {
        bench(Variant { graph: true, ..unroll }, &["train", "forward"]);
        bench(Variant { tf32: true, ..plain }, &["train", "forward"]);
        bench(Variant { graph: true, tf32: true, ..unroll }, &["train", "forward"]);
    }
    bench(unroll, &["train", "forward"]);
    for &peer in peers {
        let known = timed.iter().filter(|model| MNIST.contains(&model.as_str()));
        items.extend(known.map(|model| Item::Peer { model: model.clone(), peer }));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_everything_once() {
        let all = items(&[], EngineKind::OrtCuda, &["torch", "jax"]);
        let names: std::collections::BTreeSet<String> = all.iter().map(Item::name).collect();
        assert_eq!(names.len(), all.len());
        for name in [
            "compare digits-diagonal grad",
            "compare digits-gated-class forward",
            "nodes mnist-row-lstm sample",
            "bench mnist-diagonal train scan",
            "bench mnist-diagonal train unroll graph",
            "bench mnist-pixelcnn forward scan tf32",
            "torch mnist-diagonal",
            "jax mnist-pixelcnn",
        ] {
            assert!(names.contains(name), "{name}: {names:#?}");
        }
        // What has no CUDA is not measured with it, and what the peers do not have not with them.
        let one = items(&["digits-pixelcnn".to_string()], EngineKind::Ort, &["torch"]);
        let names: Vec<String> = one.iter().map(Item::name).collect();
        assert!(names.iter().all(|n| n.contains("digits-pixelcnn")), "{names:?}");
        assert!(!names.iter().any(|n| n.contains("tf32") || n.contains("torch")), "{names:?}");
    }
}
