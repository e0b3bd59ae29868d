//! Shape inference of the typed ONNX operators.

use pixelrnn_graph::{Dim, Elem, Type, TypeError};

use crate::op::{OnnxOp, Scan};

type Types = Result<Vec<Type>, TypeError>;

pub(crate) fn infer(op: &OnnxOp, inputs: &[&Type]) -> Types {
    arity(op, inputs)?;
    match op {
        OnnxOp::Constant(literal) => Ok(vec![literal.ty()]),
        OnnxOp::Add | OnnxOp::Sub | OnnxOp::Mul | OnnxOp::Div | OnnxOp::Max | OnnxOp::Min => {
            Ok(vec![broadcast(inputs[0], inputs[1])?])
        }
        OnnxOp::Equal | OnnxOp::Greater => {
            Ok(vec![Type { elem: Elem::Bool, ..broadcast(inputs[0], inputs[1])? }])
        }
        OnnxOp::Where => {
            element(inputs, 0, Elem::Bool)?;
            let value = broadcast(inputs[1], inputs[2])?;
            let condition = Type { elem: value.elem, shape: inputs[0].shape.clone() };
            Ok(vec![broadcast(&condition, &value)?])
        }
        OnnxOp::Relu
        | OnnxOp::Sigmoid
        | OnnxOp::Tanh
        | OnnxOp::Exp
        | OnnxOp::Log
        | OnnxOp::Sqrt
        | OnnxOp::Neg
        | OnnxOp::Abs => {
            real(inputs, 0)?;
            Ok(vec![inputs[0].clone()])
        }
        OnnxOp::Identity => Ok(vec![inputs[0].clone()]),
        OnnxOp::Cast { to } => Ok(vec![Type { elem: *to, shape: inputs[0].shape.clone() }]),
        OnnxOp::DequantizeLinear { axis } => {
            element(inputs, 0, Elem::Int8)?;
            element(inputs, 1, Elem::Real)?;
            in_range(inputs[0], &[*axis])?;
            if inputs[1].shape != [inputs[0].shape[*axis]] {
                let (left, right) = (inputs[0].clone(), inputs[1].clone());
                return Err(TypeError::Unequal { left, right });
            }
            Ok(vec![Type { elem: Elem::Real, shape: inputs[0].shape.clone() }])
        }
        OnnxOp::MatMul => matmul(inputs[0], inputs[1]),
        OnnxOp::Conv { pads } => conv(inputs, *pads),
        OnnxOp::ReduceSum { axes } | OnnxOp::ReduceMax { axes } => {
            in_range(inputs[0], axes)?;
            let kept = |i: &usize| !axes.contains(i);
            let shape = (0..inputs[0].rank()).filter(kept).map(|i| inputs[0].shape[i]).collect();
            Ok(vec![inputs[0].reshaped(shape)])
        }
        OnnxOp::CumSum { axis } => {
            in_range(inputs[0], &[*axis])?;
            Ok(vec![inputs[0].clone()])
        }
        OnnxOp::Transpose { perm } => {
            let mut sorted = perm.clone();
            sorted.sort_unstable();
            if sorted != (0..inputs[0].rank()).collect::<Vec<_>>() {
                return Err(TypeError::attribute("perm", "is not a permutation of the axes"));
            }
            Ok(vec![inputs[0].reshaped(perm.iter().map(|&i| inputs[0].shape[i]).collect())])
        }
        OnnxOp::Reshape { to } => {
            let size = |shape: &[Dim]| shape.iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d));
            let result = inputs[0].reshaped(to.clone());
            match (size(&inputs[0].shape), size(to)) {
                (Some(a), Some(b)) if a == b => Ok(vec![result]),
                (Some(_), Some(_)) => {
                    Err(TypeError::Unequal { left: inputs[0].clone(), right: result })
                }
                _ => Err(TypeError::Overflow),
            }
        }
        OnnxOp::Unsqueeze { axes } => {
            let rank = inputs[0].rank() + axes.len();
            let mut old = inputs[0].shape.iter();
            let mut shape = Vec::with_capacity(rank);
            for i in 0..rank {
                match if axes.contains(&i) { None } else { old.next() } {
                    Some(&d) => shape.push(d),
                    None => shape.push(Dim::Fixed(1)),
                }
            }
            match old.next() {
                None => Ok(vec![inputs[0].reshaped(shape)]),
                Some(_) => Err(TypeError::attribute("axes", "is out of range or repeats an axis")),
            }
        }
        OnnxOp::Concat { axis } => concat(inputs, *axis),
        OnnxOp::Slice { axis, start, end } => {
            in_range(inputs[0], &[*axis])?;
            let extent = fixed(inputs[0], 0, *axis)?;
            if start >= end || *end > extent {
                return Err(TypeError::attribute(
                    "end",
                    format!("{start}..{end} of an axis of {extent}"),
                ));
            }
            Ok(vec![with_axis(inputs[0], *axis, Dim::Fixed(end - start))])
        }
        OnnxOp::Split { axis, sizes } => {
            in_range(inputs[0], &[*axis])?;
            let extent = fixed(inputs[0], 0, *axis)?;
            if sizes.iter().sum::<usize>() != extent || sizes.contains(&0) {
                return Err(TypeError::attribute(
                    "sizes",
                    format!("{sizes:?} of an axis of {extent}"),
                ));
            }
            Ok(sizes.iter().map(|&n| with_axis(inputs[0], *axis, Dim::Fixed(n))).collect())
        }
        OnnxOp::Gather { axis } => {
            in_range(inputs[0], &[*axis])?;
            element(inputs, 1, Elem::Int)?;
            let mut shape = inputs[0].shape.clone();
            shape.splice(axis..=axis, inputs[1].shape.iter().copied());
            Ok(vec![inputs[0].reshaped(shape)])
        }
        OnnxOp::Pad { axis, before, after } => {
            in_range(inputs[0], &[*axis])?;
            let extent = fixed(inputs[0], 0, *axis)?;
            let padded = extent.checked_add(*before).and_then(|n| n.checked_add(*after));
            let padded = padded.ok_or(TypeError::Overflow)?;
            Ok(vec![with_axis(inputs[0], *axis, Dim::Fixed(padded))])
        }
        OnnxOp::Expand { to } => {
            element(inputs, 1, Elem::Int)?;
            let target = inputs[0].reshaped(to.clone());
            if inputs[1].shape != [Dim::Fixed(to.len())] || broadcast(inputs[0], &target)? != target
            {
                return Err(TypeError::Unequal { left: inputs[0].clone(), right: target });
            }
            Ok(vec![target])
        }
        OnnxOp::Shape { start, end } => {
            if start >= end || *end > inputs[0].rank() {
                return Err(TypeError::attribute("end", "is out of range"));
            }
            Ok(vec![Type { elem: Elem::Int, shape: vec![Dim::Fixed(end - start)] }])
        }
        OnnxOp::Scan(scan) => infer_scan(scan, inputs),
        OnnxOp::Native(op) => Ok(op.results.clone()),
    }
}

fn arity(op: &OnnxOp, inputs: &[&Type]) -> Result<(), TypeError> {
    let found = inputs.len();
    let expected = match op {
        OnnxOp::Constant(_) => 0,
        OnnxOp::Add
        | OnnxOp::Sub
        | OnnxOp::Mul
        | OnnxOp::Div
        | OnnxOp::Max
        | OnnxOp::Min
        | OnnxOp::Equal
        | OnnxOp::Greater
        | OnnxOp::MatMul
        | OnnxOp::DequantizeLinear { .. }
        | OnnxOp::Gather { .. }
        | OnnxOp::Expand { .. } => 2,
        OnnxOp::Where => 3,
        OnnxOp::Conv { .. } => found.clamp(2, 3),
        OnnxOp::Concat { .. } => found.max(1),
        OnnxOp::Native(_) => found,
        OnnxOp::Scan(s) => s.body.inputs().len(),
        _ => 1,
    };
    if found == expected { Ok(()) } else { Err(TypeError::Arity { expected, found }) }
}

/// The type of an element-wise result, with broadcasting.
pub(crate) fn broadcast(left: &Type, right: &Type) -> Result<Type, TypeError> {
    let unequal = || TypeError::Unequal { left: left.clone(), right: right.clone() };
    if left.elem != right.elem {
        return Err(unequal());
    }
    let rank = left.rank().max(right.rank());
    let at = |t: &Type, i: usize| match (i + t.rank()).checked_sub(rank) {
        Some(k) => t.shape[k],
        None => Dim::Fixed(1),
    };
    let mut shape = Vec::with_capacity(rank);
    for i in 0..rank {
        shape.push(match (at(left, i), at(right, i)) {
            (a, b) if a == b => a,
            (Dim::Fixed(1), b) => b,
            (a, Dim::Fixed(1)) => a,
            _ => return Err(unequal()),
        });
    }
    Ok(left.reshaped(shape))
}

fn element(inputs: &[&Type], input: usize, expected: Elem) -> Result<(), TypeError> {
    if inputs[input].elem == expected {
        return Ok(());
    }
    Err(TypeError::Element { input, expected, found: inputs[input].clone() })
}

/// Checks that an input has floating-point elements.
fn real(inputs: &[&Type], input: usize) -> Result<(), TypeError> {
    match inputs[input].elem.is_real() {
        true => Ok(()),
        false => element(inputs, input, Elem::Real),
    }
}

fn in_range(ty: &Type, axes: &[usize]) -> Result<(), TypeError> {
    match axes.iter().max() {
        Some(&axis) if axis >= ty.rank() => {
            Err(TypeError::Rank { input: 0, expected: axis + 1, found: ty.clone() })
        }
        _ => Ok(()),
    }
}

fn fixed(ty: &Type, input: usize, axis: usize) -> Result<usize, TypeError> {
    ty.shape[axis].fixed().ok_or(TypeError::Unknown { input, axis })
}

fn with_axis(ty: &Type, axis: usize, extent: Dim) -> Type {
    let mut result = ty.clone();
    result.shape[axis] = extent;
    result
}

fn rank(inputs: &[&Type], input: usize, expected: usize) -> Result<(), TypeError> {
    if inputs[input].rank() == expected {
        return Ok(());
    }
    Err(TypeError::Rank { input, expected, found: inputs[input].clone() })
}

fn matmul(a: &Type, b: &Type) -> Types {
    let unequal = || TypeError::Unequal { left: a.clone(), right: b.clone() };
    if a.elem != b.elem
        || a.rank() < 2
        || b.rank() < 2
        || a.shape[a.rank() - 1] != b.shape[b.rank() - 2]
    {
        return Err(unequal());
    }
    let batch = |t: &Type| t.reshaped(t.shape[..t.rank() - 2].to_vec());
    let mut result = broadcast(&batch(a), &batch(b))?;
    result.shape.extend([a.shape[a.rank() - 2], b.shape[b.rank() - 1]]);
    Ok(vec![result])
}

fn conv(inputs: &[&Type], pads: [usize; 4]) -> Types {
    rank(inputs, 0, 4)?;
    rank(inputs, 1, 4)?;
    let (x, w) = (inputs[0], inputs[1]);
    if x.elem != w.elem
        || x.shape[1] != w.shape[1]
        || inputs.get(2).is_some_and(|b| b.shape != [w.shape[0]])
    {
        return Err(TypeError::Unequal { left: x.clone(), right: w.clone() });
    }
    let extent = |i: usize| -> Result<Dim, TypeError> {
        let padded = fixed(x, 0, i + 2)? + pads[i] + pads[i + 2];
        let kernel = fixed(w, 1, i + 2)?;
        let left = (padded + 1).checked_sub(kernel).filter(|&n| n > 0);
        left.map(Dim::Fixed)
            .ok_or_else(|| TypeError::attribute("pads", "leave less than one window"))
    };
    Ok(vec![x.reshaped(vec![x.shape[0], w.shape[0], extent(0)?, extent(1)?])])
}

fn concat(inputs: &[&Type], axis: usize) -> Types {
    in_range(inputs[0], &[axis])?;
    let mut total = inputs[0].shape[axis];
    for other in &inputs[1..] {
        let equal = other.elem == inputs[0].elem
            && other.rank() == inputs[0].rank()
            && (0..other.rank()).all(|i| i == axis || other.shape[i] == inputs[0].shape[i]);
        total = match (equal, total, other.shape.get(axis)) {
            (true, Dim::Fixed(a), Some(&Dim::Fixed(b))) => Dim::Fixed(a + b),
            (true, Dim::Batch(a), Some(&Dim::Batch(b))) => Dim::Batch(a + b),
            _ => {
                let (left, right) = (inputs[0].clone(), (*other).clone());
                return Err(TypeError::Unequal { left, right });
            }
        };
    }
    Ok(vec![with_axis(inputs[0], axis, total)])
}

fn infer_scan(scan: &Scan, inputs: &[&Type]) -> Types {
    let body = &scan.body;
    let carried = scan.states + scan.invariants;
    if body.outputs().len() < scan.states || body.inputs().len() <= carried {
        return Err(TypeError::body("must have a result for each state, and something to scan"));
    }
    let mut steps = None;
    for (i, (formal, actual)) in body.inputs().iter().zip(inputs).enumerate() {
        let formal = body.ty(formal.value);
        let fits = if i < carried {
            formal == *actual
        } else {
            let first = *steps.get_or_insert(actual.shape.first().copied());
            actual.elem == formal.elem
                && actual.shape.first().copied() == first
                && actual.shape.get(1..) == Some(&formal.shape[..])
        };
        if !fits {
            return Err(TypeError::Unequal { left: (*actual).clone(), right: formal.clone() });
        }
    }
    let Some(Some(steps @ Dim::Fixed(_))) = steps else {
        return Err(TypeError::Unknown { input: carried, axis: 0 });
    };
    let mut results = Vec::new();
    for (i, out) in body.outputs().iter().enumerate() {
        let ty = body.ty(out.value);
        if i < scan.states {
            let state = body.ty(body.inputs()[i].value);
            if ty != state {
                return Err(TypeError::Unequal { left: ty.clone(), right: state.clone() });
            }
            results.push(ty.clone());
        } else {
            let mut shape = vec![steps];
            shape.extend(ty.shape.iter().copied());
            results.push(ty.reshaped(shape));
        }
    }
    Ok(results)
}
