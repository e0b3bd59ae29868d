//! The signature of a program: its inputs and outputs, and the check of given inputs.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::{Array, InputError};

/// The extent of one axis, as the model file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A number.
    Fixed(usize),
    /// A name that stands for the same number in all inputs of one run. In models of `pixelrnn` it is
    /// `batch`.
    Symbol(String),
    /// Not declared: any number is accepted.
    Unknown,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extent::Fixed(n) => write!(f, "{n}"),
            Extent::Symbol(s) => f.write_str(s),
            Extent::Unknown => f.write_str("?"),
        }
    }
}

/// The element type of a tensor in the model file. Callers always pass and receive f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Elements {
    /// f32.
    #[default]
    Real,
    /// i64, such as class labels. Only for inputs, which are passed as f32 with whole numbers.
    Whole,
    /// u8, such as images of levels. Passed as f32 with whole numbers from 0 to 255.
    Byte,
}

/// An input or output of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the graph.
    pub name: String,
    /// The element type.
    pub elements: Elements,
    /// Its extents; `None` if not even the number of axes is declared.
    pub shape: Option<Vec<Extent>>,
}

impl Tensor {
    /// Whether it has one value per image, for any batch size.
    pub fn is_batch(&self) -> bool {
        let first = self.shape.as_ref().and_then(|shape| shape.first());
        matches!(first, Some(Extent::Symbol(_)))
    }

    /// The shape, if every extent is fixed.
    #[cfg(feature = "ort")]
    pub(crate) fn fixed_shape(&self) -> Option<Vec<usize>> {
        let extent = |extent: &Extent| match extent {
            Extent::Fixed(n) => Some(*n),
            _ => None,
        };
        self.shape.as_ref()?.iter().map(extent).collect()
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, shape_text(self.shape.as_deref()))
    }
}

fn shape_text(shape: Option<&[Extent]>) -> String {
    match shape {
        None => "[..]".to_owned(),
        Some(axes) => {
            let axes: Vec<String> = axes.iter().map(Extent::to_string).collect();
            format!("[{}]", axes.join(", "))
        }
    }
}

/// Inputs that match a signature.
#[derive(Debug)]
pub struct Bound<'a> {
    /// One array for each input, in the order of the signature.
    pub arrays: Vec<&'a Array>,
    /// The values of the symbols in this run.
    pub symbols: BTreeMap<&'a str, usize>,
}

/// Checks inputs against a signature, and brings them into its order.
///
/// # Errors
/// [`InputError`] for the first input that is missing, unknown, given twice, or has a wrong shape or an
/// invalid value.
pub fn bind<'a>(
    signature: &'a [Tensor],
    inputs: &[(&str, &'a Array)],
) -> Result<Bound<'a>, InputError> {
    let mut given = HashMap::with_capacity(inputs.len());
    for &(name, array) in inputs {
        if given.insert(name, array).is_some() {
            return Err(InputError::Twice { input: name.to_owned() });
        }
    }
    let mut bound = Bound { arrays: Vec::with_capacity(signature.len()), symbols: BTreeMap::new() };
    for tensor in signature {
        let Some(array) = given.remove(tensor.name.as_str()) else {
            return Err(InputError::Missing { input: tensor.to_string() });
        };
        fit(tensor, array, &mut bound.symbols)?;
        let fits = |x: &&f32| match tensor.elements {
            Elements::Real => true,
            Elements::Whole => x.fract() == 0.0,
            Elements::Byte => x.fract() == 0.0 && (0.0..=255.0).contains(*x),
        };
        if let Some(&value) = array.iter().find(|x| !fits(x)) {
            let (input, value) = (tensor.name.clone(), value.to_string());
            return Err(match tensor.elements {
                Elements::Byte => InputError::Byte { input, value },
                _ => InputError::Fraction { input, value },
            });
        }
        bound.arrays.push(array);
    }
    // The remaining inputs are unknown. Reports the smallest name, so that the message is deterministic.
    match given.keys().min() {
        None => Ok(bound),
        Some(name) => Err(InputError::Unknown {
            input: (*name).to_owned(),
            known: signature.iter().map(|t| t.name.clone()).collect(),
        }),
    }
}

fn fit<'a>(
    tensor: &'a Tensor,
    array: &Array,
    symbols: &mut BTreeMap<&'a str, usize>,
) -> Result<(), InputError> {
    let Some(declared) = &tensor.shape else { return Ok(()) };
    let mismatch = || InputError::Shape {
        input: tensor.name.clone(),
        declared: shape_text(Some(declared)),
        given: array.shape().to_vec(),
    };
    if declared.len() != array.ndim() {
        return Err(mismatch());
    }
    for (extent, &size) in declared.iter().zip(array.shape()) {
        match extent {
            Extent::Unknown => {}
            Extent::Fixed(n) if *n == size => {}
            Extent::Fixed(_) => return Err(mismatch()),
            Extent::Symbol(symbol) => match symbols.insert(symbol, size) {
                Some(before) if before != size => {
                    return Err(InputError::Symbol {
                        symbol: symbol.clone(),
                        before,
                        input: tensor.name.clone(),
                        size,
                    });
                }
                _ => {}
            },
        }
    }
    Ok(())
}
