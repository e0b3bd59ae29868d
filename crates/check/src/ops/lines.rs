//! A tensor as a set of lines along some of its axes.

use crate::store::{Cell, El, Store};
use crate::tensor::{Tensor, strides, view};

pub(crate) struct Lines {
    /// The offset at which each line starts, in row-major order of the other axes.
    pub starts: Vec<usize>,
    /// The offset of each element of a line from the line's start.
    pub steps: Vec<usize>,
    /// The extents of the other axes. `kept` has extent one in place of the reduced axes.
    pub rest: Vec<usize>,
    pub kept: Vec<usize>,
}

impl Lines {
    /// Splits a dense tensor into lines.
    pub fn new(t: &Tensor, axes: &[usize]) -> Lines {
        let own = strides(&t.shape);
        let part = |inside: bool| -> (Vec<usize>, Vec<isize>) {
            let wanted = (0..t.rank()).filter(|i| axes.contains(i) == inside);
            wanted.filter_map(|i| Some((*t.shape.get(i)?, *own.get(i)?))).unzip()
        };
        let ((rest, outer), (inner, inner_strides)) = (part(false), part(true));
        let one = |(i, &d): (usize, &usize)| if axes.contains(&i) { 1 } else { d };
        Lines {
            starts: view(&rest, &outer, 0),
            steps: view(&inner, &inner_strides, 0),
            kept: t.shape.iter().enumerate().map(one).collect(),
            rest,
        }
    }

    pub fn read(&self, store: &Store, t: &Tensor, start: usize) -> Vec<El> {
        self.steps.iter().map(|step| t.el(store, start + step)).collect()
    }

    /// Writes the results of a line to the places of its elements.
    pub fn write(&self, out: &mut [Cell], start: usize, results: &[Cell]) {
        for (step, &cell) in self.steps.iter().zip(results) {
            if let Some(slot) = out.get_mut(start + step) {
                *slot = cell;
            }
        }
    }
}
