//! Matrix products.

use gemm_common::Parallelism;

/// A matrix in a slice. `row` and `column` are the distances between adjacent rows and columns.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub column: usize,
}

impl<'a> View<'a> {
    /// A matrix of contiguous rows of this length.
    pub fn rows(data: &'a [f32], length: usize) -> View<'a> {
        View { data, row: length, column: 1 }
    }

    /// The transpose.
    pub fn transposed(self) -> View<'a> {
        View { data: self.data, row: self.column, column: self.row }
    }

    fn fits(&self, rows: usize, columns: usize) -> bool {
        let last = (rows - 1) * self.row + (columns - 1) * self.column;
        last < self.data.len()
    }
}

/// Computes `out [m, n] = a [m, k] b [k, n]`, or adds the product to `out`, whose rows are `row` numbers
/// apart.
///
/// # Panics
/// If a matrix extends beyond its slice.
pub(crate) fn product(
    out: &mut [f32],
    row: usize,
    [m, k, n]: [usize; 3],
    a: View,
    b: View,
    add: bool,
) {
    if m == 0 || n == 0 || k == 0 {
        assert!(add || m == 0 || n == 0, "a product over nothing");
        return;
    }
    assert!(a.fits(m, k) && b.fits(k, n), "a factor reaches beyond its slice");
    assert!(n <= row && (m - 1) * row + n <= out.len(), "the product reaches beyond its slice");
    // The kernels of `gemm` are faster for a result with contiguous columns. So this computes the transpose
    // of the result, as the product of the transposed factors in reverse order.
    let (a, b) = (b.transposed(), a.transposed());
    // SAFETY: the assertions above show that every element that is read or written is inside its slice.
    unsafe {
        (gemm_f32::gemm::f32::get_gemm_fn())(
            n,
            m,
            k,
            out.as_mut_ptr(),
            row as isize,
            1,
            add,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
