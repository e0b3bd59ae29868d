//! Reads the constants of a file into tensors.

use std::path::Path;

use pixelrnn_onnx::proto::TensorProto;
use pixelrnn_onnx::proto::tensor_proto::{DataLocation, DataType};

use crate::elem::{EXACT, Elem, brain, float8, half};
use crate::error::CheckError;
use crate::external;
use crate::sets::EMPTY;
use crate::store::{El, Store};
use crate::tensor::{Tensor, size};
use crate::value::between;

/// The extents of a tensor in the file; `None` if one is negative.
pub(crate) fn extents(dims: &[i64]) -> Option<Vec<usize>> {
    dims.iter().map(|&d| usize::try_from(d).ok()).collect()
}

/// Reads an initializer. External data are looked for in `folder`.
///
/// # Errors
/// If its external data cannot be read, its element type is not supported, it has fewer numbers
/// than its shape requires, or it exceeds the memory limit.
pub(crate) fn read(
    store: &mut Store,
    proto: &TensorProto,
    folder: Option<&Path>,
) -> Result<Tensor, CheckError> {
    let fail = |reason| CheckError::Constant { name: proto.name().to_string(), reason };
    let shape = extents(&proto.dims).ok_or_else(|| fail("has a negative extent"))?;
    let count = size(&shape).map_err(|_| fail("is too large"))?;
    let elem = Elem::from_proto(proto.data_type())
        .ok_or_else(|| fail("has an element type that is not modeled (a string, for example)"))?;
    let over = |p| match p {
        crate::error::Problem::TooLarge(r) => CheckError::TooLarge(r),
        _ => fail("is too large"),
    };
    store.spend(count).map_err(over)?;
    let held;
    let raw = match (&proto.raw_data, proto.data_location() == DataLocation::External) {
        (_, true) => {
            held = external::read(proto, folder, bytes_of(elem, count))?;
            Some(&held[..])
        }
        (Some(raw), _) if !raw.is_empty() => Some(&raw[..]),
        _ => None,
    };
    let (values, large) = match raw {
        Some(raw) => {
            if raw.len() != bytes_of(elem, count) {
                return Err(fail("has more or fewer bytes than its shape says"));
            }
            from_raw(raw, elem, count)
        }
        None => from_fields(proto, elem, count),
    };
    if values.len() != count {
        return Err(fail("has more or fewer numbers than its shape says"));
    }
    if large.is_empty() {
        return Ok(Tensor::known(store, elem, shape, values));
    }
    let mut cells = Vec::with_capacity(count);
    for (i, x) in values.into_iter().enumerate() {
        let el = match large.get(i) {
            Some(&n) if x.abs() >= EXACT => El::new(EMPTY, between(n, n)),
            _ => El::known(x),
        };
        cells.push(store.cell(el));
    }
    Ok(Tensor::cells(store, elem, shape, cells))
}

fn bits_of(elem: Elem) -> usize {
    match elem {
        Elem::F64 => 64,
        Elem::F32 => 32,
        Elem::F16 | Elem::Bf16 => 16,
        Elem::F8(crate::elem::Float8::E2m1) => 4,
        Elem::F8(_) | Elem::Bool => 8,
        Elem::Int(bits) | Elem::Uint(bits) => usize::from(bits),
    }
}

fn bytes_of(elem: Elem, count: usize) -> usize {
    count.saturating_mul(bits_of(elem)).div_ceil(8)
}

/// Numbers as floats. If one of them is too large to be exact in an `f64`, the second list has all
/// of them as integers; otherwise it is empty.
type Numbers = (Vec<f64>, Vec<i128>);

fn integers(list: impl Iterator<Item = i128> + Clone) -> Numbers {
    let large = list.clone().any(|n| n.unsigned_abs() > EXACT as u128);
    let values = list.clone().map(|n| n as f64).collect();
    (values, if large { list.collect() } else { Vec::new() })
}

fn from_raw(raw: &[u8], elem: Elem, count: usize) -> Numbers {
    macro_rules! of {
        ($t:ty) => {
            (words(raw, |b| <$t>::from_le_bytes(b) as f64), Vec::new())
        };
    }
    match elem {
        Elem::F32 => of!(f32),
        Elem::F64 => of!(f64),
        Elem::Int(64) => {
            integers(raw.as_chunks::<8>().0.iter().map(|b| i128::from(i64::from_le_bytes(*b))))
        }
        Elem::Uint(64) => {
            integers(raw.as_chunks::<8>().0.iter().map(|b| i128::from(u64::from_le_bytes(*b))))
        }
        Elem::Int(32) => of!(i32),
        Elem::Int(16) => of!(i16),
        Elem::Int(8) => of!(i8),
        Elem::Uint(32) => of!(u32),
        Elem::Uint(16) => of!(u16),
        Elem::Uint(8) => of!(u8),
        Elem::Bool => (raw.iter().map(|&b| f64::from(u8::from(b != 0))).collect(), Vec::new()),
        Elem::F16 => (words(raw, |b| half(u16::from_le_bytes(b))), Vec::new()),
        Elem::Bf16 => (words(raw, |b| brain(u16::from_le_bytes(b))), Vec::new()),
        // Types of less than a byte are packed, the first number in the low bits.
        _ if bits_of(elem) < 8 => {
            let (bits, mask) = (bits_of(elem), (1u8 << bits_of(elem)) - 1);
            let part = |i: usize| {
                let at = i * bits;
                raw.get(at / 8).map_or(0, |b| b >> (at % 8) & mask)
            };
            ((0..count).map(|i| small(elem, part(i))).collect(), Vec::new())
        }
        _ => (raw.iter().map(|&b| small(elem, b)).collect(), Vec::new()),
    }
}

fn words<const N: usize>(raw: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    raw.as_chunks::<N>().0.iter().map(|b| f(*b)).collect()
}

/// Decodes a number of at most eight bits.
fn small(elem: Elem, bits: u8) -> f64 {
    match elem {
        Elem::F8(format) => float8(format, bits),
        Elem::Int(n) if n < 8 => {
            let n = i32::from(n);
            f64::from(i32::from(bits) << (32 - n) >> (32 - n))
        }
        Elem::Int(_) => f64::from(bits as i8),
        _ => f64::from(bits),
    }
}

fn from_fields(proto: &TensorProto, elem: Elem, count: usize) -> Numbers {
    let plain = |values: Vec<f64>| (values, Vec::new());
    match DataType::try_from(proto.data_type()) {
        Ok(DataType::Float) => plain(proto.float_data.iter().map(|&x| f64::from(x)).collect()),
        Ok(DataType::Double) => plain(proto.double_data.clone()),
        Ok(DataType::Int64) => integers(proto.int64_data.iter().map(|&n| i128::from(n))),
        Ok(DataType::Uint64 | DataType::Uint32) => {
            integers(proto.uint64_data.iter().map(|&n| i128::from(n)))
        }
        _ if bits_of(elem) < 8 => {
            let bytes: Vec<u8> = proto.int32_data.iter().map(|&n| n as u8).collect();
            if bytes.len() == bytes_of(elem, count) {
                from_raw(&bytes, elem, count)
            } else {
                plain(Vec::new())
            }
        }
        _ => plain(proto.int32_data.iter().map(|&n| field(elem, n)).collect()),
    }
}

fn field(elem: Elem, n: i32) -> f64 {
    match elem {
        Elem::F16 => half(n as u16),
        Elem::Bf16 => brain(n as u16),
        Elem::F8(format) => float8(format, n as u8),
        Elem::Bool => f64::from(u8::from(n != 0)),
        Elem::Uint(8) => f64::from(n as u8),
        Elem::Uint(16) => f64::from(n as u16),
        Elem::Int(8) => f64::from(n as i8),
        Elem::Int(16) => f64::from(n as i16),
        _ => f64::from(n),
    }
}
