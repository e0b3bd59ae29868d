//! Runs a convolution, to check whether a GPU really works.

use ndarray::IxDyn;

use super::OrtEngine;
use crate::{Array, Engine, EngineError, Program};

/// Runs one convolution and checks its result. The error is the reason of the failure.
pub(super) fn run(engine: &OrtEngine) -> Result<(), String> {
    let onnx = convolution();
    let mut session = engine
        .load(&Program { name: "smoke", onnx: &onnx, graph: None })
        .map_err(EngineError::reason)?;
    let ones = |n| Array::from_elem(IxDyn(&[1, 1, n, n]), 1.0);
    let result = session.run(&[("x", &ones(4)), ("w", &ones(3))]).map_err(EngineError::reason)?;
    // Not exactly nine: cuDNN may choose an algorithm that rounds.
    let nine = |&v: &f32| (v - 9.0).abs() < 1e-3;
    match result.as_slice() {
        [(_, y)] if y.shape() == [1, 1, 2, 2] && y.iter().all(nine) => Ok(()),
        other => Err(format!("a 3 x 3 convolution of ones gave {other:?} instead of nines")),
    }
}

/// The model `y = Conv(x, w)` as a file, written byte by byte, since this crate has no encoder. The numbers
/// are the field numbers of `onnx.proto`.
fn convolution() -> Vec<u8> {
    let float = |extents: [u8; 4]| {
        let dims: Vec<u8> = extents.iter().flat_map(|&n| message(1, &number(1, n))).collect();
        let tensor = [number(1, 1), message(2, &dims)].concat();
        message(1, &tensor)
    };
    let value = |name: &[u8], extents| [message(1, name), message(2, &float(extents))].concat();
    let node = [message(1, b"x"), message(1, b"w"), message(2, b"y"), message(4, b"Conv")].concat();
    let graph = [
        message(1, &node),
        message(2, b"smoke"),
        message(11, &value(b"x", [1, 1, 4, 4])),
        message(11, &value(b"w", [1, 1, 3, 3])),
        message(12, &value(b"y", [1, 1, 2, 2])),
    ]
    .concat();
    // IR version 8, opset 18.
    [number(1, 8), message(7, &graph), message(8, &number(2, 18))].concat()
}

/// A field with a number below 128.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A field with bytes. The field number must be below 16.
fn message(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![(field << 3) | 2];
    let mut length = bytes.len();
    while length >= 128 {
        out.push((length % 128) as u8 | 128);
        length /= 128;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OrtOptions;

    #[test]
    fn the_smoke_run_passes_where_it_must() {
        let engine = OrtEngine::cpu(OrtOptions::default()).unwrap();
        run(&engine).unwrap();
    }
}
