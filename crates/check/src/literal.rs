//! Constants of a file, read into tensors.

use super::error::{DependError, Problem};
use super::tensor::{Kind, Tensor, size};
use pixelrnn_onnx::proto::TensorProto;
use pixelrnn_onnx::proto::tensor_proto::{DataLocation, DataType};

/// What elements of an ONNX type are, for this analysis.
pub(super) fn kind(data_type: i32) -> Kind {
    match DataType::try_from(data_type) {
        Ok(DataType::Bool) => Kind::Bool,
        Ok(
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Uint8
            | DataType::Uint16
            | DataType::Uint32
            | DataType::Uint64,
        ) => Kind::Int,
        _ => Kind::Float,
    }
}

/// Extents from a file.
pub(super) fn extents(dims: &[i64]) -> Option<Vec<usize>> {
    dims.iter().map(|&d| usize::try_from(d).ok()).collect()
}

/// Reads a constant.
///
/// # Errors
/// Its numbers lie in another file, are of an unusual type, or fewer than its shape says.
pub(super) fn read(proto: &TensorProto) -> Result<Tensor, DependError> {
    let fail = |reason| DependError::Constant { name: proto.name().to_string(), reason };
    if proto.data_location() == DataLocation::External {
        return Err(fail("lies in another file; save the model as one file"));
    }
    let shape = extents(&proto.dims).ok_or_else(|| fail("has a negative extent"))?;
    let count = size(&shape).map_err(|_: Problem| fail("is too large"))?;
    let values = match &proto.raw_data {
        Some(raw) if !raw.is_empty() => {
            from_raw(raw, proto.data_type()).ok_or_else(|| fail("has an unusual element type"))?
        }
        _ => from_fields(proto),
    };
    if values.len() != count {
        return Err(fail("has more or fewer numbers than its shape says"));
    }
    Ok(Tensor::known(kind(proto.data_type()), shape, values))
}

fn from_raw(raw: &[u8], data_type: i32) -> Option<Vec<f64>> {
    macro_rules! of {
        ($t:ty) => {
            words(raw, |b| <$t>::from_le_bytes(b) as f64)
        };
    }
    Some(match DataType::try_from(data_type).ok()? {
        DataType::Float => of!(f32),
        DataType::Double => of!(f64),
        DataType::Int64 => of!(i64),
        DataType::Int32 => of!(i32),
        DataType::Int16 => of!(i16),
        DataType::Int8 => of!(i8),
        DataType::Uint64 => of!(u64),
        DataType::Uint32 => of!(u32),
        DataType::Uint16 => of!(u16),
        DataType::Uint8 | DataType::Bool => of!(u8),
        DataType::Float16 => words(raw, |b| half(u16::from_le_bytes(b))),
        DataType::Bfloat16 => words(raw, |b| brain(u16::from_le_bytes(b))),
        _ => return None,
    })
}

fn words<const N: usize>(raw: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (whole, rest) = raw.as_chunks::<N>();
    // A tail that is no whole number makes the count wrong, which the caller reports.
    whole.iter().map(|b| f(*b)).chain((!rest.is_empty()).then_some(f64::NAN)).collect()
}

fn from_fields(proto: &TensorProto) -> Vec<f64> {
    let data_type = proto.data_type();
    let small = |&n: &i32| match DataType::try_from(data_type) {
        Ok(DataType::Float16) => half(n as u16),
        Ok(DataType::Bfloat16) => brain(n as u16),
        _ => f64::from(n),
    };
    let floats = proto.float_data.iter().map(|&x| f64::from(x));
    floats
        .chain(proto.double_data.iter().copied())
        .chain(proto.int64_data.iter().map(|&n| n as f64))
        .chain(proto.uint64_data.iter().map(|&n| n as f64))
        .chain(proto.int32_data.iter().map(small))
        .collect()
}

fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    sign * match i32::from(bits >> 10 & 0x1f) {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1.0 + fraction) * 2f64.powi(e - 15),
    }
}

fn brain(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}
