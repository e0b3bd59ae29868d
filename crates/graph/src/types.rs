//! Types of values: an element type, and a shape whose only dynamic extent is the batch.

use std::fmt;

/// The element type of a tensor.
///
/// The pixel IR has only [`Elem::Real`] (levels are small whole numbers, which a float represents exactly).
/// The other types appear in ONNX graphs, as indices, shapes, conditions and stored weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Elem {
    /// f32 on every engine; optionally f64 in the reference interpreter.
    Real,
    /// i64.
    Int,
    /// Booleans.
    Bool,
    /// f16, in ONNX graphs exported with `--dtype f16`.
    F16,
    /// bf16, for stored weights.
    Bf16,
    /// i8, for stored weights.
    Int8,
    /// u8, for images.
    Byte,
}

impl Elem {
    /// Whether it is a floating-point number.
    pub fn is_real(self) -> bool {
        matches!(self, Elem::Real | Elem::F16 | Elem::Bf16)
    }

    /// The size of an element in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Elem::Real => 4,
            Elem::Int => 8,
            Elem::F16 | Elem::Bf16 => 2,
            Elem::Bool | Elem::Int8 | Elem::Byte => 1,
        }
    }
}

/// The extent of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dim {
    /// A constant.
    Fixed(usize),
    /// A multiple of the batch size. The batch size is the same in the whole graph; a factor other than 1
    /// arises only from merged axes.
    Batch(usize),
}

impl Dim {
    /// The number of images in a batch.
    pub const N: Dim = Dim::Batch(1);

    /// The extent if it is constant.
    pub fn fixed(self) -> Option<usize> {
        match self {
            Dim::Fixed(n) => Some(n),
            Dim::Batch(_) => None,
        }
    }

    /// The extent with `batch` images.
    pub fn with_batch(self, batch: usize) -> usize {
        match self {
            Dim::Fixed(n) => n,
            Dim::Batch(k) => k * batch,
        }
    }

    /// The extent of this axis merged with another; `None` for two batches or on overflow.
    pub fn times(self, other: Dim) -> Option<Dim> {
        match (self, other) {
            (Dim::Fixed(a), Dim::Fixed(b)) => a.checked_mul(b).map(Dim::Fixed),
            (Dim::Fixed(a), Dim::Batch(b)) | (Dim::Batch(a), Dim::Fixed(b)) => {
                a.checked_mul(b).map(Dim::Batch)
            }
            (Dim::Batch(_), Dim::Batch(_)) => None,
        }
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Self {
        Dim::Fixed(n)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(n) => write!(f, "{n}"),
            Dim::Batch(1) => f.write_str("N"),
            Dim::Batch(k) => write!(f, "{k}N"),
        }
    }
}

/// The element type and shape of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The element type.
    pub elem: Elem,
    /// The extent of each axis.
    pub shape: Vec<Dim>,
}

impl Type {
    /// A real tensor of the given shape.
    pub fn real(shape: impl IntoIterator<Item = impl Into<Dim>>) -> Type {
        Type { elem: Elem::Real, shape: shape.into_iter().map(Into::into).collect() }
    }

    /// The same element type with another shape.
    pub fn reshaped(&self, shape: Vec<Dim>) -> Type {
        Type { elem: self.elem, shape }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The shape with `batch` images.
    pub fn extents(&self, batch: usize) -> Vec<usize> {
        self.shape.iter().map(|d| d.with_batch(batch)).collect()
    }

    /// The shape; `None` if an axis depends on the batch.
    pub fn fixed(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(|d| d.fixed()).collect()
    }

    /// The number of elements for a batch of one image. Saturates on overflow.
    pub fn size(&self) -> usize {
        self.shape.iter().fold(1usize, |n, d| n.saturating_mul(d.with_batch(1)))
    }
}

impl fmt::Display for Elem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Elem::Real => "real",
            Elem::Int => "int",
            Elem::Bool => "bool",
            Elem::F16 => "f16",
            Elem::Bf16 => "bf16",
            Elem::Int8 => "int8",
            Elem::Byte => "byte",
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.elem)?;
        for (i, d) in self.shape.iter().enumerate() {
            write!(f, "{}{d}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}
