//! Small checks that shape inference rules share.

use pixelrnn_graph::{Dim, Type, TypeError};

/// Checks the number of inputs.
pub fn arity(inputs: &[&Type], expected: usize) -> Result<(), TypeError> {
    if inputs.len() == expected {
        return Ok(());
    }
    Err(TypeError::Arity { expected, found: inputs.len() })
}

/// Checks the rank of an input.
pub fn rank(inputs: &[&Type], input: usize, expected: usize) -> Result<(), TypeError> {
    if inputs[input].rank() == expected {
        return Ok(());
    }
    Err(TypeError::Rank { input, expected, found: inputs[input].clone() })
}

/// The extent of an axis, which must not be the batch.
pub fn fixed(inputs: &[&Type], input: usize, axis: usize) -> Result<usize, TypeError> {
    match inputs[input].shape.get(axis) {
        Some(d) => d.fixed().ok_or(TypeError::Unknown { input, axis }),
        None => Err(TypeError::Rank { input, expected: axis + 1, found: inputs[input].clone() }),
    }
}

/// Checks the extent of an axis.
pub fn extent(
    inputs: &[&Type],
    input: usize,
    axis: usize,
    expected: impl Into<Dim>,
) -> Result<(), TypeError> {
    let expected = expected.into();
    match inputs[input].shape.get(axis) {
        Some(&found) if found == expected => Ok(()),
        Some(&found) => Err(TypeError::Extent { input, axis, expected, found }),
        None => Err(TypeError::Rank { input, expected: axis + 1, found: inputs[input].clone() }),
    }
}

/// The type of the element-wise combination of two inputs of equal rank. Extents are equal or one.
pub fn broadcast(left: &Type, right: &Type) -> Result<Type, TypeError> {
    let unequal = || TypeError::Unequal { left: left.clone(), right: right.clone() };
    if left.rank() != right.rank() {
        return Err(unequal());
    }
    let join = |(&a, &b): (&Dim, &Dim)| match (a, b) {
        (a, b) if a == b => Ok(a),
        (Dim::Fixed(1), b) => Ok(b),
        (a, Dim::Fixed(1)) => Ok(a),
        _ => Err(unequal()),
    };
    let shape = left.shape.iter().zip(&right.shape).map(join).collect::<Result<_, _>>()?;
    Ok(left.reshaped(shape))
}

/// The same type with another extent along one axis.
pub fn with_axis(ty: &Type, axis: usize, extent: impl Into<Dim>) -> Type {
    let mut result = ty.clone();
    result.shape[axis] = extent.into();
    result
}
