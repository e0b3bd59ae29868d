//! Builds small models from the protobuf types.

use pixelrnn_check::{CheckError, Hop, Options, Position, Report, check_bytes};
use pixelrnn_onnx::proto::tensor_proto::DataType;
use pixelrnn_onnx::proto::tensor_shape_proto::{Dimension, dimension};
use pixelrnn_onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use prost::Message;

/// Describes a value by its element type and extents; -1 is a dynamic batch.
pub fn info(name: &str, data_type: DataType, dims: &[i64]) -> ValueInfoProto {
    let dim = |&n: &i64| Dimension {
        value: Some(match n {
            -1 => dimension::Value::DimParam("batch".into()),
            n => dimension::Value::DimValue(n),
        }),
        ..Default::default()
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: Some(data_type as i32), shape: Some(shape) };
    let ty = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(ty), ..Default::default() }
}

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        raw_data: Some(values.iter().flat_map(|x| x.to_le_bytes()).collect()),
        ..Default::default()
    }
}

pub fn whole(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Int64 as i32),
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: Some(name.into()), i: Some(i), ..Default::default() }
}

pub fn ints(name: &str, list: &[i64]) -> AttributeProto {
    AttributeProto { name: Some(name.into()), ints: list.to_vec(), ..Default::default() }
}

pub fn body(name: &str, g: GraphProto) -> AttributeProto {
    AttributeProto { name: Some(name.into()), g: Some(g), ..Default::default() }
}

/// A graph under construction. Values are named after the nodes that compute them.
#[derive(Clone, Default)]
pub struct Net {
    pub graph: GraphProto,
    pub opset: i64,
    /// A prefix for all names, so that the names in a body are unique.
    pub prefix: String,
}

impl Net {
    /// A graph with an image input `x` of C colors, H rows and W columns.
    pub fn image(c: i64, h: i64, w: i64) -> Net {
        let mut net = Net { opset: 18, ..Default::default() };
        net.graph.input.push(info("x", DataType::Float, &[-1, c, h, w]));
        net
    }

    /// A body, still without inputs.
    pub fn empty() -> Net {
        Net { opset: 18, ..Default::default() }
    }

    pub fn input(&mut self, name: &str, dims: &[i64]) -> String {
        self.graph.input.push(info(name, DataType::Float, dims));
        name.to_string()
    }

    pub fn output(&mut self, name: &str, dims: &[i64]) {
        self.graph.output.push(info(name, DataType::Float, dims));
    }

    fn fresh(&self, stem: &str) -> String {
        format!("{}{stem}_{}", self.prefix, self.graph.node.len() + self.graph.initializer.len())
    }

    pub fn floats(&mut self, dims: &[i64], values: &[f32]) -> String {
        let name = self.fresh("constant");
        self.graph.initializer.push(floats(&name, dims, values));
        name
    }

    pub fn whole(&mut self, values: &[i64]) -> String {
        let name = self.fresh("ints");
        self.graph.initializer.push(whole(&name, &[values.len() as i64], values));
        name
    }

    pub fn scalar(&mut self, value: i64) -> String {
        let name = self.fresh("int");
        self.graph.initializer.push(whole(&name, &[], &[value]));
        name
    }

    /// Adds a node with one result, and returns the name of the result.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[AttributeProto]) -> String {
        self.nodes(op, inputs, attributes, 1).remove(0)
    }

    pub fn nodes(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: &[AttributeProto],
        results: usize,
    ) -> Vec<String> {
        let name = self.fresh(op);
        let output: Vec<String> = (0..results).map(|i| format!("{name}:{i}")).collect();
        self.graph.node.push(NodeProto {
            name: Some(name),
            op_type: Some(op.into()),
            input: inputs.iter().map(|s| s.to_string()).collect(),
            output: output.clone(),
            attribute: attributes.to_vec(),
            ..Default::default()
        });
        output
    }

    pub fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.whole(shape);
        self.node("Reshape", &[x, &shape], &[])
    }

    /// Pads with zeros; `pads` has the amounts before each axis, then those after.
    pub fn pad(&mut self, x: &str, pads: &[i64]) -> String {
        let pads = self.whole(pads);
        self.node("Pad", &[x, &pads], &[])
    }

    pub fn slice(&mut self, x: &str, axis: i64, start: i64, end: i64, step: i64) -> String {
        let [s, e, a, t] = [start, end, axis, step].map(|n| self.whole(&[n]));
        self.node("Slice", &[x, &s, &e, &a, &t], &[])
    }

    pub fn flip(&mut self, x: &str, axis: i64) -> String {
        self.slice(x, axis, -1, i64::MIN, -1)
    }

    /// A convolution that keeps the size. `live` says which weights are nonzero, by output channel,
    /// input channel, row and column.
    pub fn conv(
        &mut self,
        x: &str,
        [outs, ins, kernel]: [usize; 3],
        live: impl Fn(usize, usize, usize, usize) -> bool,
    ) -> String {
        let weights = weights([outs, ins, kernel], live);
        let (o, i, k) = (outs as i64, ins as i64, kernel as i64);
        let w = self.floats(&[o, i, k, k], &weights);
        let bias = self.floats(&[o], &vec![0.5; outs]);
        self.node("Conv", &[x, &w, &bias], &[ints("pads", &[k / 2; 4])])
    }

    /// The encoded model with the value `output` as its output.
    pub fn bytes(mut self, output: &str) -> Vec<u8> {
        if self.graph.output.is_empty() {
            self.graph
                .output
                .push(ValueInfoProto { name: Some(output.into()), ..Default::default() });
        }
        model(self.graph, self.opset).encode_to_vec()
    }

    pub fn check(self, output: &str) -> Report {
        let bytes = self.bytes(output);
        match check_bytes(&bytes, &Options::default()) {
            Ok(d) => d,
            Err(e) => panic!("{e}"),
        }
    }
}

pub fn model(graph: GraphProto, opset: i64) -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { version: Some(opset), ..Default::default() }],
        graph: Some(graph),
        ..Default::default()
    }
}

pub fn weights(
    [outs, ins, kernel]: [usize; 3],
    live: impl Fn(usize, usize, usize, usize) -> bool,
) -> Vec<f32> {
    let mut weights = Vec::new();
    for o in 0..outs {
        for i in 0..ins {
            for y in 0..kernel {
                for x in 0..kernel {
                    weights.push(if live(o, i, y, x) { 0.25 } else { 0.0 });
                }
            }
        }
    }
    weights
}

/// The masks of the paper: feature k of F belongs to color k * C / F.
pub fn mask(
    [outs, ins, kernel]: [usize; 3],
    colours: usize,
    centre: bool,
) -> impl Fn(usize, usize, usize, usize) -> bool {
    let mid = kernel / 2;
    move |o, i, y, x| {
        let (go, gi) = (o * colours / outs, i * colours / ins);
        y < mid || y == mid && (x < mid || x == mid && if centre { gi <= go } else { gi < go })
    }
}

/// The outputs that depend on a value at or after their own position, each with the first such
/// value.
pub fn leaks(d: &Report) -> Vec<(usize, usize)> {
    (0..d.outputs()).filter_map(|r| Some((r, d.first_from(r, r)?))).collect()
}

/// The fraction of earlier values that outputs do not depend on.
pub fn blind(d: &Report) -> f64 {
    let n = d.outputs();
    let seen: usize = (0..n).map(|r| d.count_below(r, r)).sum();
    1.0 - seen as f64 / (n * (n - 1) / 2) as f64
}

/// The values that an output depends on, as indices in raster order.
pub fn reads(d: &Report, row: usize) -> Vec<usize> {
    (0..d.values()).filter(|&c| d.depends(row, c)).collect()
}

/// The path from an output back to an input.
pub fn way(
    bytes: &[u8],
    options: &Options,
    output: Position,
    input: Position,
) -> Result<Vec<Hop>, CheckError> {
    let report = check_bytes(bytes, options)?;
    pixelrnn_check::trace(bytes, options, &report, output, input)
}
