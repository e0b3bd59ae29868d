//! `layout`: keeps maps pixel-major between recurrences.
//!
//! Each recurrence expands with a transpose before and after it. If the operators between two recurrences are
//! element-wise or 1 x 1 convolutions, they are moved to the pixel-major layout, and the transposes cancel
//! out. The transpose `[2, 3, 0, 1]` is its own inverse, so each value has at most one partner: the same map
//! in the other layout.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_ops::{Op, PixelGraph, Transpose};

use crate::rewrite::Rewrite;

const SWAP: [usize; 4] = [2, 3, 0, 1];

/// Moves operators between recurrences to the pixel-major layout.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn layout(graph: &PixelGraph) -> Result<PixelGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    let mut partners = Partners::default();
    for (id, node) in graph.nodes() {
        let inputs = rewrite.inputs_of(id)?;
        let site = graph.site(id);
        let native = |v: &Value| partners.native(*v);
        if let Op::Transpose(t) = &node.op
            && t.perm == SWAP
        {
            let result = match partners.get(inputs[0]) {
                Some(known) => known,
                None => {
                    let result = rewrite.node(id)?[0];
                    let from_pixels = rewrite.new.ty(result).shape[0].fixed().is_none();
                    partners.join(result, inputs[0], from_pixels);
                    result
                }
            };
            rewrite.set(node.outputs[0], result);
            continue;
        }
        // Operators that broadcast their maps are not moved.
        let movable = node.op.pixel_major().filter(|(maps, _)| {
            let first = graph.ty(node.inputs[0]);
            first.rank() == 4 && node.inputs[..*maps].iter().all(|v| graph.ty(*v) == first)
        });
        match movable {
            Some((maps, op)) if inputs[..maps].iter().any(native) => {
                let mut moved = inputs.clone();
                for v in &mut moved[..maps] {
                    *v = match partners.get(*v) {
                        Some(pixels) => pixels,
                        None => {
                            let op = Transpose { perm: SWAP.to_vec() };
                            let name = format!("{}/pixels", node.name);
                            let pixels = rewrite.new.push(op.into(), &[*v], &name, site)?[0];
                            partners.join(*v, pixels, false);
                            pixels
                        }
                    };
                }
                let pixels = rewrite.new.push(op, &moved, &node.name, site)?[0];
                // The map in its old layout, in case another node reads it. `cse_dce` removes it otherwise.
                let back = Transpose { perm: SWAP.to_vec() };
                let name = format!("{}/maps", node.name);
                let result = rewrite.new.push(back.into(), &[pixels], &name, site)?[0];
                partners.join(result, pixels, true);
                rewrite.set(node.outputs[0], result);
            }
            _ => {
                rewrite.node(id)?;
            }
        }
    }
    rewrite.finish()
}

/// Records which values are the same map in the two layouts.
#[derive(Default)]
struct Partners {
    /// For each value its partner, and whether the value is the transpose of a pixel-major one.
    of: Vec<Option<(Value, bool)>>,
}

impl Partners {
    fn slot(&mut self, v: Value) -> &mut Option<(Value, bool)> {
        if self.of.len() <= v.index() {
            self.of.resize(v.index() + 1, None);
        }
        &mut self.of[v.index()]
    }

    /// Records that `map` and `pixels` are the same map. `native` says that it was computed pixel-major.
    fn join(&mut self, map: Value, pixels: Value, native: bool) {
        *self.slot(map) = Some((pixels, native));
        *self.slot(pixels) = Some((map, false));
    }

    fn get(&self, v: Value) -> Option<Value> {
        self.of.get(v.index()).copied().flatten().map(|(partner, _)| partner)
    }

    fn native(&self, v: Value) -> bool {
        matches!(self.of.get(v.index()), Some(Some((_, true))))
    }
}
