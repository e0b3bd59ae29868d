//! A tensor seen as lines along some of its axes.

use crate::store::{Cell, El, Store};
use crate::tensor::{Tensor, strides, view};

pub(crate) struct Lines {
    /// Where each line starts, in row-major order of the other axes.
    pub starts: Vec<usize>,
    /// From a start to each element of its line.
    pub steps: Vec<usize>,
    /// The extents of the other axes; with extent one in place of the reduced ones.
    pub rest: Vec<usize>,
    pub kept: Vec<usize>,
}

impl Lines {
    /// Lines of a dense tensor.
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

    /// Gives a line's results to its elements.
    pub fn write(&self, out: &mut [Cell], start: usize, results: &[Cell]) {
        for (step, &cell) in self.steps.iter().zip(results) {
            if let Some(slot) = out.get_mut(start + step) {
                *slot = cell;
            }
        }
    }
}
