//! Element types: their range, and how they round.

use pixelrnn_onnx::proto::tensor_proto::DataType;

/// An ONNX element type that the analysis supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Elem {
    F64,
    F32,
    F16,
    Bf16,
    /// One of the 8-bit or 4-bit float formats.
    F8(Float8),
    /// A signed integer with this many bits.
    Int(u8),
    /// An unsigned integer with this many bits.
    Uint(u8),
    Bool,
}

/// The 8-bit (and 4-bit) float formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Float8 {
    E4m3fn,
    E4m3fnuz,
    E5m2,
    E5m2fnuz,
    E8m0,
    E2m1,
}

impl Elem {
    /// The type for ONNX's number of a data type; `None` for strings, complex numbers, 6-bit floats
    /// and unknown numbers.
    pub fn from_proto(data_type: i32) -> Option<Elem> {
        Some(match DataType::try_from(data_type).ok()? {
            DataType::Double => Elem::F64,
            DataType::Float => Elem::F32,
            DataType::Float16 => Elem::F16,
            DataType::Bfloat16 => Elem::Bf16,
            DataType::Float8e4m3fn => Elem::F8(Float8::E4m3fn),
            DataType::Float8e4m3fnuz => Elem::F8(Float8::E4m3fnuz),
            DataType::Float8e5m2 => Elem::F8(Float8::E5m2),
            DataType::Float8e5m2fnuz => Elem::F8(Float8::E5m2fnuz),
            DataType::Float8e8m0 => Elem::F8(Float8::E8m0),
            DataType::Float4e2m1 => Elem::F8(Float8::E2m1),
            DataType::Int2 => Elem::Int(2),
            DataType::Int4 => Elem::Int(4),
            DataType::Int8 => Elem::Int(8),
            DataType::Int16 => Elem::Int(16),
            DataType::Int32 => Elem::Int(32),
            DataType::Int64 => Elem::Int(64),
            DataType::Uint2 => Elem::Uint(2),
            DataType::Uint4 => Elem::Uint(4),
            DataType::Uint8 => Elem::Uint(8),
            DataType::Uint16 => Elem::Uint(16),
            DataType::Uint32 => Elem::Uint(32),
            DataType::Uint64 => Elem::Uint(64),
            DataType::Bool => Elem::Bool,
            DataType::String
            | DataType::Complex64
            | DataType::Complex128
            | DataType::Float6e2m3
            | DataType::Float6e3m2
            | DataType::Undefined => return None,
        })
    }

    pub fn is_float(self) -> bool {
        matches!(self, Elem::F64 | Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::F8(_))
    }

    /// The largest finite value, as an f64 (rounded outward for 64-bit integers).
    pub fn max(self) -> f64 {
        match self {
            Elem::F64 => f64::MAX,
            Elem::F32 => f64::from(f32::MAX),
            Elem::F16 => 65504.0,
            Elem::Bf16 => f64::from(f32::from_bits(0x7f7f_0000)),
            Elem::F8(Float8::E4m3fn) => 448.0,
            Elem::F8(Float8::E4m3fnuz) => 240.0,
            Elem::F8(Float8::E8m0) => 2f64.powi(127),
            Elem::F8(Float8::E2m1) => 6.0,
            Elem::F8(Float8::E5m2 | Float8::E5m2fnuz) => 57344.0,
            Elem::Int(bits) => 2f64.powi(i32::from(bits) - 1) - 1.0,
            Elem::Uint(bits) => 2f64.powi(i32::from(bits)) - 1.0,
            Elem::Bool => 1.0,
        }
    }

    /// The smallest finite value.
    pub fn min(self) -> f64 {
        match self {
            Elem::Int(bits) => -2f64.powi(i32::from(bits) - 1),
            Elem::Uint(_) | Elem::Bool => 0.0,
            _ => -self.max(),
        }
    }

    /// A bound on the distance between neighboring values, relative to them (the machine epsilon).
    /// Zero for integers.
    pub fn eps(self) -> f64 {
        match self {
            Elem::F64 => f64::EPSILON,
            Elem::F32 => f64::from(f32::EPSILON),
            Elem::F16 => 2f64.powi(-10),
            Elem::Bf16 => 2f64.powi(-7),
            Elem::F8(Float8::E8m0) => 1.0,
            Elem::F8(_) => 0.25,
            Elem::Int(_) | Elem::Uint(_) | Elem::Bool => 0.0,
        }
    }

    /// A bound on the absolute rounding error near zero, where a runtime may flush subnormal
    /// numbers.
    pub fn tiny(self) -> f64 {
        match self {
            Elem::F64 => f64::from_bits(1),
            Elem::F32 | Elem::Bf16 => 2f64.powi(-126),
            Elem::F16 => 2f64.powi(-14),
            Elem::F8(_) => 1.0,
            Elem::Int(_) | Elem::Uint(_) | Elem::Bool => 0.0,
        }
    }

    /// Whether the type represents `x` exactly.
    pub fn holds(self, x: f64) -> bool {
        if x == 0.0 {
            return true;
        }
        match self {
            Elem::F64 => true,
            Elem::F32 => f64::from(x as f32) == x,
            Elem::F16 => {
                let y = x as f32;
                f64::from(y) == x
                    && (!x.is_finite()
                        || (x.abs() <= 65504.0
                            && y.to_bits() & 0x1fff == 0
                            && x.abs() >= 2f64.powi(-14)))
            }
            Elem::Bf16 => {
                let y = x as f32;
                f64::from(y) == x && y.to_bits() & 0xffff == 0
            }
            // The other 8-bit formats represent small integers exactly.
            Elem::F8(Float8::E8m0 | Float8::E2m1) => false,
            Elem::F8(_) => x.fract() == 0.0 && x.abs() <= 4.0,
            Elem::Int(_) | Elem::Uint(_) => {
                x.fract() == 0.0 && x >= self.min() && x <= self.max() && x.abs() <= EXACT
            }
            Elem::Bool => x == 1.0,
        }
    }

    /// `exp(x)` is exactly zero for any `x` below this. A runtime may compute 16-bit types in 32
    /// bits, so they have the bound of `f32`.
    pub fn exp_underflow(self) -> f64 {
        match self {
            Elem::F64 => -746.0,
            _ => -104.5,
        }
    }
}

/// Integers up to this absolute value are exact in an `f64`.
pub(crate) const EXACT: f64 = 9007199254740992.0;

/// Decodes an IEEE 16-bit float.
pub(crate) fn half(bits: u16) -> f64 {
    minifloat(u32::from(bits), 5, 10, 15, Special::Ieee)
}

/// Decodes a bfloat16.
pub(crate) fn brain(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

/// Decodes an 8-bit float, or a 4-bit float in the low bits.
pub(crate) fn float8(format: Float8, bits: u8) -> f64 {
    let bits = u32::from(bits);
    match format {
        Float8::E4m3fn => minifloat(bits, 4, 3, 7, Special::TopIsNan),
        Float8::E4m3fnuz => minifloat(bits, 4, 3, 8, Special::NegativeZeroIsNan),
        Float8::E5m2 => minifloat(bits, 5, 2, 15, Special::Ieee),
        Float8::E5m2fnuz => minifloat(bits, 5, 2, 16, Special::NegativeZeroIsNan),
        Float8::E8m0 if bits == 255 => f64::NAN,
        Float8::E8m0 => 2f64.powi(bits as i32 - 127),
        Float8::E2m1 => minifloat(bits & 15, 2, 1, 1, Special::None),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Special {
    Ieee,
    TopIsNan,
    NegativeZeroIsNan,
    None,
}

fn minifloat(bits: u32, exponent_bits: u32, mantissa_bits: u32, bias: i32, kind: Special) -> f64 {
    let mantissa = bits & ((1 << mantissa_bits) - 1);
    let top = (1u32 << exponent_bits) - 1;
    let exponent = bits >> mantissa_bits & top;
    let negative = bits >> (mantissa_bits + exponent_bits) & 1 == 1;
    let sign = if negative { -1.0 } else { 1.0 };
    let fraction = f64::from(mantissa) / f64::from(1u32 << mantissa_bits);
    match kind {
        Special::Ieee if exponent == top => {
            return if mantissa == 0 { sign * f64::INFINITY } else { f64::NAN };
        }
        Special::TopIsNan if exponent == top && mantissa == (1 << mantissa_bits) - 1 => {
            return f64::NAN;
        }
        Special::NegativeZeroIsNan if negative && exponent == 0 && mantissa == 0 => {
            return f64::NAN;
        }
        _ => {}
    }
    sign * match exponent {
        0 => fraction * 2f64.powi(1 - bias),
        e => (1.0 + fraction) * 2f64.powi(e as i32 - bias),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_floats() {
        assert_eq!(half(0x3c00), 1.0);
        assert_eq!(half(0xfbff), -65504.0);
        assert_eq!(half(1), 2f64.powi(-24));
        assert_eq!(half(0x7c00), f64::INFINITY);
        assert_eq!(float8(Float8::E4m3fn, 0x7e), 448.0);
        assert!(float8(Float8::E4m3fn, 0x7f).is_nan());
        assert_eq!(float8(Float8::E4m3fn, 0x38), 1.0);
        assert_eq!(float8(Float8::E4m3fnuz, 0x40), 1.0);
        assert!(float8(Float8::E5m2fnuz, 0x80).is_nan());
        assert_eq!(float8(Float8::E5m2, 0x3c), 1.0);
        assert_eq!(float8(Float8::E2m1, 7), 6.0);
        // The largest value of a format is that of its largest pattern of bits.
        for (format, bits) in [
            (Float8::E4m3fn, 0x7e),
            (Float8::E4m3fnuz, 0x7f),
            (Float8::E5m2, 0x7b),
            (Float8::E5m2fnuz, 0x7f),
            (Float8::E8m0, 0xfe),
            (Float8::E2m1, 0x7),
        ] {
            assert_eq!(Elem::F8(format).max(), float8(format, bits), "{format:?}");
        }
    }

    #[test]
    fn what_a_type_holds() {
        assert!(Elem::F32.holds(16777216.0) && !Elem::F32.holds(16777217.0));
        assert!(Elem::F16.holds(2048.0) && !Elem::F16.holds(2049.0));
        assert!(Elem::Bf16.holds(256.0) && !Elem::Bf16.holds(257.0));
        assert!(Elem::Uint(8).holds(255.0) && !Elem::Uint(8).holds(256.0));
        assert!(!Elem::Int(64).holds(2f64.powi(60)));
    }
}
