//! The element types of NumPy arrays.

/// A numeric element type; NumPy writes `|u1`, `<f4`, `>i2`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elements {
    kind: Kind,
    /// The number of bytes of an element.
    pub width: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
}

impl Elements {
    /// Parses a `descr`; `None` if the type is not numeric.
    pub fn parse(text: &str) -> Option<Elements> {
        let order = text.chars().next()?;
        let kind = match text.get(1..2)? {
            "b" => Kind::Bool,
            "u" => Kind::Unsigned,
            "i" => Kind::Signed,
            "f" => Kind::Float,
            _ => return None,
        };
        let width: usize = text.get(2..)?.parse().ok()?;
        let fits = match kind {
            Kind::Bool => width == 1,
            Kind::Unsigned | Kind::Signed => matches!(width, 1 | 2 | 4 | 8),
            Kind::Float => matches!(width, 2 | 4 | 8),
        };
        let big_endian = order == '>';
        (fits && "<>|=".contains(order)).then_some(Elements { kind, width, big_endian })
    }

    /// Whether elements are unsigned bytes, which are used as levels without conversion.
    pub fn are_bytes(self) -> bool {
        self.kind == Kind::Unsigned && self.width == 1
    }

    /// Whether elements are integers.
    pub fn are_whole(self) -> bool {
        matches!(self.kind, Kind::Unsigned | Kind::Signed)
    }

    /// Decodes elements as `f64`. Integers above 2^53 are rounded.
    pub fn numbers(self, bytes: &[u8]) -> impl Iterator<Item = f64> {
        bytes.chunks_exact(self.width).map(move |bytes| self.number(bytes))
    }

    fn number(self, bytes: &[u8]) -> f64 {
        let push = |all: u64, &byte: &u8| all << 8 | u64::from(byte);
        let bits = match self.big_endian {
            true => bytes.iter().fold(0, push),
            false => bytes.iter().rev().fold(0, push),
        };
        let unused = 64 - 8 * self.width as u32;
        match (self.kind, self.width) {
            (Kind::Bool, _) => f64::from(u8::from(bits != 0)),
            (Kind::Unsigned, _) => bits as f64,
            (Kind::Signed, _) => ((bits << unused) as i64 >> unused) as f64,
            (Kind::Float, 2) => half(bits as u16),
            (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Kind::Float, _) => f64::from_bits(bits),
        }
    }
}

/// Decodes an IEEE 16-bit float.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}
