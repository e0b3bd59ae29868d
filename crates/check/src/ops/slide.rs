//! Sliding windows: the input positions that convolutions and pooling read.

use crate::call::Call;
use crate::error::Problem;
use crate::store::Store;
use crate::tensor::size;

/// A position in the padding, where nothing is read.
pub(crate) const OUTSIDE: u32 = u32::MAX;

/// How a window moves over the spatial axes.
pub(crate) struct Window {
    kernel: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    /// The padding before each axis, then the padding after each.
    pads: Vec<i64>,
    ceil: bool,
    auto: Option<Auto>,
}

#[derive(Clone, Copy)]
enum Auto {
    Upper,
    Lower,
}

/// For each output position (in row-major order) and tap, the input position that it reads.
pub(crate) struct Table {
    pub extents: Vec<usize>,
    pub taps: usize,
    pub sources: Vec<u32>,
}

impl Table {
    /// The input positions of one output position, by tap.
    pub fn at(&self, position: usize) -> &[u32] {
        self.sources.get(position * self.taps..(position + 1) * self.taps).unwrap_or(&[])
    }

    pub fn positions(&self) -> usize {
        self.extents.iter().product()
    }
}

impl Window {
    /// Reads a window from the attributes of a node. `kernel` is the shape of the weights' taps, if
    /// there are weights.
    ///
    /// # Errors
    /// If an attribute has the wrong length or sign.
    pub fn new(call: &Call, kernel: Option<&[usize]>, axes: usize) -> Result<Window, Problem> {
        let list = |name: &'static str| -> Result<Vec<usize>, Problem> {
            let Some(list) = call.ints(name) else { return Ok(vec![1; axes]) };
            let small = |&n: &i64| usize::try_from(n).ok().filter(|&n| n > 0 && n < 1 << 24);
            let list: Option<Vec<usize>> = list.iter().map(small).collect();
            list.filter(|l| l.len() == axes).ok_or(Problem::Attribute(name))
        };
        let kernel = match kernel {
            Some(kernel) => kernel.to_vec(),
            None if call.ints("kernel_shape").is_none() => {
                return Err(Problem::Attribute("kernel_shape"));
            }
            None => list("kernel_shape")?,
        };
        let mut pads = call.ints("pads").map_or_else(|| vec![0; 2 * axes], <[i64]>::to_vec);
        if pads.len() != 2 * axes || pads.iter().any(|p| p.abs() > 1 << 24) {
            return Err(Problem::Attribute("pads"));
        }
        if kernel.iter().any(|&k| k == 0 || k > 1 << 24) {
            return Err(Problem::Attribute("kernel_shape"));
        }
        if call.text("auto_pad") == Some("VALID") {
            pads.fill(0);
        }
        let auto = match call.text("auto_pad") {
            Some("SAME_UPPER") => Some(Auto::Upper),
            Some("SAME_LOWER") => Some(Auto::Lower),
            _ => None,
        };
        let ceil = call.int("ceil_mode", 0) != 0;
        Ok(Window {
            kernel,
            strides: list("strides")?,
            dilations: list("dilations")?,
            pads,
            ceil,
            auto,
        })
    }

    fn axis(&self, i: usize) -> [i64; 5] {
        let get = |list: &[usize]| list.get(i).copied().unwrap_or(1) as i64;
        let pad = |k: usize| self.pads.get(k).copied().unwrap_or(0);
        let axes = self.kernel.len();
        [get(&self.kernel), get(&self.strides), get(&self.dilations), pad(i), pad(axes + i)]
    }

    /// The positions that a convolution or a pooling reads.
    ///
    /// # Errors
    /// If no window fits, or the table exceeds a limit.
    pub fn forward(&self, store: &mut Store, input: &[usize]) -> Result<Table, Problem> {
        let mut axes = Vec::new();
        for (i, &n) in input.iter().enumerate() {
            let [kernel, stride, dilation, mut low, high] = self.axis(i);
            let n = n as i64;
            let span = (kernel - 1) * dilation + 1;
            let mut count = n + low + high - span;
            let extent = match self.auto {
                Some(auto) => {
                    let extent = (n + stride - 1) / stride;
                    let needed = ((extent - 1) * stride + span - n).max(0);
                    low = match auto {
                        Auto::Upper => needed / 2,
                        Auto::Lower => needed - needed / 2,
                    };
                    extent
                }
                None => {
                    if count < 0 {
                        return Err(Problem::Attribute("pads"));
                    }
                    // A last window that would start in the padding after the axis is dropped.
                    if self.ceil {
                        count += stride - 1;
                        count = count.min(n + low - 1);
                    }
                    count / stride + 1
                }
            };
            let source = |o: i64, t: i64| Some(o * stride + t * dilation - low);
            axes.push(table(store, extent, kernel, n, source)?);
        }
        combine(store, &axes, input)
    }

    /// The positions that a transposed convolution reads. `extra` and `shape` are the attributes
    /// `output_padding` and `output_shape`.
    ///
    /// # Errors
    /// If the result is empty, or the table exceeds a limit.
    pub fn backward(
        &self,
        store: &mut Store,
        input: &[usize],
        extra: Option<&[i64]>,
        shape: Option<&[i64]>,
    ) -> Result<Table, Problem> {
        let mut axes = Vec::new();
        for (i, &n) in input.iter().enumerate() {
            let [kernel, stride, dilation, mut low, high] = self.axis(i);
            let n = n as i64;
            let more = extra.and_then(|e| e.get(i).copied()).unwrap_or(0).clamp(0, 1 << 24);
            let full = (n - 1) * stride + more + (kernel - 1) * dilation + 1;
            let wanted = match (shape.and_then(|s| s.get(i).copied()), self.auto) {
                (Some(e), _) => Some(e),
                (None, Some(_)) => Some(n * stride),
                (None, None) => None,
            };
            let extent = match wanted {
                Some(e) => {
                    let total = full.saturating_sub(e).max(0);
                    low = match self.auto {
                        Some(Auto::Upper) => total / 2,
                        _ => total - total / 2,
                    };
                    e
                }
                None => full - low - high,
            };
            if extent < 0 {
                return Err(Problem::Attribute("pads"));
            }
            let source = |o: i64, t: i64| {
                let at = o + low - t * dilation;
                (at % stride == 0).then_some(at / stride)
            };
            axes.push(table(store, extent, kernel, n, source)?);
        }
        combine(store, &axes, input)
    }
}

/// One axis: its output extent, its taps, and the source of each output position and tap.
struct Axis {
    extent: usize,
    taps: usize,
    sources: Vec<u32>,
}

fn table(
    store: &mut Store,
    extent: i64,
    kernel: i64,
    n: i64,
    source: impl Fn(i64, i64) -> Option<i64>,
) -> Result<Axis, Problem> {
    let (extent, taps) = (extent.max(0) as usize, kernel as usize);
    store.spend(size(&[extent, taps])?)?;
    let find = |o, t| match source(o, t) {
        Some(i) if (0..n).contains(&i) => i as u32,
        _ => OUTSIDE,
    };
    let sources =
        (0..extent as i64).flat_map(|o| (0..kernel).map(move |t| (o, t))).map(|(o, t)| find(o, t));
    Ok(Axis { extent, taps, sources: sources.collect() })
}

fn combine(store: &mut Store, axes: &[Axis], input: &[usize]) -> Result<Table, Problem> {
    let extents: Vec<usize> = axes.iter().map(|a| a.extent).collect();
    let taps = size(&axes.iter().map(|a| a.taps).collect::<Vec<_>>())?;
    let positions = size(&extents)?;
    store.spend(size(&[positions, taps])?)?;
    // Extends the table axis by axis: output positions in the outer loop, taps in the inner.
    let (mut rows, mut width, mut sources) = (1, 1, vec![0u32]);
    for (axis, &n) in axes.iter().zip(input) {
        let mut next = Vec::with_capacity(rows * axis.extent * width * axis.taps);
        for row in 0..rows {
            for o in 0..axis.extent {
                for w in 0..width {
                    let base = sources.get(row * width + w).copied().unwrap_or(OUTSIDE);
                    for t in 0..axis.taps {
                        let i = axis.sources.get(o * axis.taps + t).copied().unwrap_or(OUTSIDE);
                        let dead = base == OUTSIDE || i == OUTSIDE;
                        next.push(if dead { OUTSIDE } else { base * n as u32 + i });
                    }
                }
            }
        }
        rows *= axis.extent;
        width *= axis.taps;
        sources = next;
    }
    Ok(Table { extents, taps, sources })
}
