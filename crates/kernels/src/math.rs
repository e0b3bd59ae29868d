//! Mathematical functions of SIMD vectors, for every instruction set.

use pulp::Simd;

/// For larger x, e^x or e^-x is not a normal number.
const LARGEST: f32 = 88.0;
/// 1.5 times 2^23. Adding it to a small number rounds that to a whole number, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;

/// A vector with the same number in every lane.
#[inline(always)]
pub(crate) fn all<S: Simd>(simd: S, x: f32) -> S::f32s {
    simd.splat_f32s(x)
}

/// Clamps numbers to the range from `-bound` to `bound`. NaN stays NaN.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, bound: f32) -> S::f32s {
    let (low, high) = (all(simd, -bound), all(simd, bound));
    let x = simd.select_f32s(simd.greater_than_f32s(x, high), high, x);
    simd.select_f32s(simd.less_than_f32s(x, low), low, x)
}

/// A polynomial in x. The coefficient of the highest power comes first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, of: [f32; N]) -> S::f32s {
    let mut sum = all(simd, of[0]);
    for c in &of[1..] {
        sum = simd.mul_add_f32s(x, sum, all(simd, *c));
    }
    sum
}

/// e^x for numbers between -[`LARGEST`] and [`LARGEST`], with a relative error below 2e-7.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // x = k ln 2 + r, with ln 2 in two parts.
    let rounded = simd.mul_add_f32s(x, all(simd, std::f32::consts::LOG2_E), all(simd, ROUND));
    let k = simd.sub_f32s(rounded, all(simd, ROUND));
    let r = simd.mul_add_f32s(k, all(simd, -0.693_145_75), x);
    let r = simd.mul_add_f32s(k, all(simd, -1.428_606_8e-6), r);
    // The Taylor series. |r| is at most ln(2) / 2.
    let p = polynomial(simd, r, [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]);
    // 2^k, from the low bits of the rounded number.
    let bits = simd.transmute_u32s_f32s(rounded);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let power = simd.add_u32s(exponent, simd.splat_u32s(127 << 23));
    simd.mul_f32s(p, simd.transmute_f32s_u32s(power))
}

/// e^x, with x clamped to between -[`LARGEST`] and [`LARGEST`].
#[inline(always)]
pub(crate) fn clamped_exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    exp(simd, clamp(simd, x, LARGEST))
}

/// The logistic function, with a relative error below 5e-7.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = all(simd, 1.0);
    let e = exp(simd, clamp(simd, simd.neg_f32s(x), LARGEST));
    simd.div_f32s(one, simd.add_f32s(one, e))
}

/// The hyperbolic tangent as a quotient of two polynomials (those of Eigen's `ptanh`). The relative error is
/// below 1e-6 everywhere, also near zero.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = clamp(simd, x, 9.0);
    let square = simd.mul_f32s(x, x);
    let above = [
        -2.760_768_5e-16,
        2.000_188e-13,
        -8.604_672e-11,
        5.122_297_3e-8,
        1.485_722_4e-5,
        6.372_619e-4,
        4.893_524_6e-3,
    ];
    let below = [1.198_258_4e-6, 1.185_347e-4, 2.268_434_6e-3, 4.893_525e-3];
    let above = simd.mul_f32s(x, polynomial(simd, square, above));
    simd.div_f32s(above, polynomial(simd, square, below))
}

/// Splits a slice into vectors and a rest that is shorter than a vector.
#[inline(always)]
pub(crate) fn vectors<S: Simd>(x: &[f32]) -> (&[S::f32s], &[f32]) {
    S::as_simd_f32s(x)
}

/// Like [`vectors`], mutable.
#[inline(always)]
pub(crate) fn vectors_mut<S: Simd>(x: &mut [f32]) -> (&mut [S::f32s], &mut [f32]) {
    S::as_mut_simd_f32s(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both functions of one number, on the instruction set of this machine.
    struct Both(f32);

    impl pulp::WithSimd for Both {
        type Output = [f32; 2];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> [f32; 2] {
            let x = all(simd, self.0);
            let mut found = [0.0; 2];
            simd.partial_store_f32s(&mut found[..1], sigmoid(simd, x));
            simd.partial_store_f32s(&mut found[1..], tanh(simd, x));
            found
        }
    }

    fn both(x: f32) -> [f32; 2] {
        let found = pulp::Arch::new().dispatch(Both(x));
        let plain = pulp::WithSimd::with_simd(Both(x), pulp::Scalar::new());
        for (found, plain) in found.into_iter().zip(plain) {
            let same =
                found.is_nan() && plain.is_nan() || (found - plain).abs() <= 1e-6 * plain.abs();
            assert!(same, "{x}: {found} in vectors, {plain} alone");
        }
        found
    }

    #[test]
    fn functions_agree_with_those_of_the_standard_library() {
        let mut x = -100.0f32;
        while x < 100.0 {
            let wide = f64::from(x);
            let (s, t) = (1.0 / (1.0 + (-wide).exp()), wide.tanh());
            let relative =
                |found: f32, right: f64| (f64::from(found) - right).abs() / right.abs().max(1e-37);
            let [sigmoid, tanh] = both(x);
            if x.abs() < 87.0 {
                assert!(relative(sigmoid, s) < 5e-7, "sigmoid({x}) = {sigmoid}, not {s}");
            }
            assert!(relative(tanh, t) < 1e-6, "tanh({x}) = {tanh}, not {t}");
            x += if x.abs() < 1e-2 { 1e-5 } else { 3e-3 };
        }
        assert_eq!(both(0.0), [0.5, 0.0]);
        assert_eq!(both(f32::INFINITY), [1.0, 1.0]);
        let [sigmoid, tanh] = both(f32::NEG_INFINITY);
        assert!(sigmoid < 1e-37 && tanh == -1.0, "{sigmoid}, {tanh}");
        assert!(both(f32::NAN).iter().all(|x| x.is_nan()));
    }
}
