//! 16-bit and 8-bit numbers, for models whose weights are stored in a smaller type.

use ndarray::{ArrayD, Axis};

/// The largest finite f16.
const F16_MAX: u16 = 0x7bff;

/// The bits of the nearest f16, ties to even. Finite numbers stay finite: those beyond 65504 become
/// 65504.
pub fn f16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let mantissa = bits & 0x7f_ffff;
    let exponent = ((bits >> 23) & 0xff) as i32 - 127 + 15;
    let rounded = |kept: u32, shift: u32, whole: u32| {
        let (rest, half) = (whole & ((1 << shift) - 1), 1 << (shift - 1));
        let up = rest > half || (rest == half && kept & 1 == 1);
        (kept + u32::from(up)) as u16
    };
    let magnitude = match exponent {
        _ if x.is_nan() => 0x7e00,
        _ if x.is_infinite() => 0x7c00,
        31.. => F16_MAX,
        1..=30 => {
            let kept = ((exponent as u32) << 10) | (mantissa >> 13);
            rounded(kept, 13, mantissa).min(F16_MAX)
        }
        -10..=0 => {
            let (whole, shift) = (mantissa | 0x80_0000, (14 - exponent) as u32);
            rounded(whole >> shift, shift, whole)
        }
        _ => 0,
    };
    sign | magnitude
}

/// The bits of the nearest bf16, ties to even.
pub fn bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    match x.is_nan() {
        true => (bits >> 16) as u16 | 0x40,
        false => ((u64::from(bits) + 0x7fff + u64::from((bits >> 16) & 1)) >> 16) as u16,
    }
}

/// Quantizes weights to integers from -127 to 127, with a scale for each slice along `axis`.
/// Returns the integers and the scales. The largest magnitude of a slice becomes 127; a slice of
/// zeros has the scale 1.
pub fn quantize(weight: &ArrayD<f32>, axis: usize) -> (ArrayD<i8>, Vec<f32>) {
    let mut quantized = ArrayD::from_elem(weight.raw_dim(), 0i8);
    let mut scales = Vec::new();
    for (from, mut to) in weight.axis_iter(Axis(axis)).zip(quantized.axis_iter_mut(Axis(axis))) {
        let largest = from.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        to.zip_mut_with(&from, |q, &x| *q = (x / scale).round().clamp(-127.0, 127.0) as i8);
        scales.push(scale);
    }
    (quantized, scales)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the bits of an f16.
    fn of_f16(bits: u16) -> f64 {
        let (exponent, mantissa) = (i32::from((bits >> 10) & 31), f64::from(bits & 1023));
        let magnitude = match exponent {
            0 => mantissa / 1024.0 * 2f64.powi(-14),
            31 => f64::INFINITY,
            _ => (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15),
        };
        if bits >> 15 == 1 { -magnitude } else { magnitude }
    }

    #[test]
    fn f16_is_the_nearest() {
        // Every finite f16 is rounded to itself, and a number halfway between two to the even one.
        for bits in 0..F16_MAX {
            let (here, next) = (of_f16(bits), of_f16(bits + 1));
            assert_eq!(f16_bits(here as f32), bits);
            assert_eq!(f16_bits(-here as f32), bits | 0x8000);
            let middle = ((here + next) / 2.0) as f32;
            assert_eq!(f16_bits(middle), bits + (bits & 1));
            assert_eq!(f16_bits(f32::from_bits(middle.to_bits() + 1)), bits + 1);
            assert_eq!(f16_bits(f32::from_bits(middle.to_bits() - 1)), bits);
        }
        assert_eq!(f16_bits(1e9), F16_MAX);
        assert_eq!(f16_bits(65519.0), F16_MAX);
        assert_eq!(f16_bits(f32::NEG_INFINITY), 0xfc00);
        assert_eq!(f16_bits(f32::NAN) & 0x7c00, 0x7c00);
        assert_eq!(f16_bits(1e-9), 0);
    }

    #[test]
    fn bf16_is_the_nearest() {
        assert_eq!(bf16_bits(1.0), 0x3f80);
        assert_eq!(bf16_bits(-255.0), 0xc37f);
        // Halfway between two: to the even one.
        assert_eq!(bf16_bits(f32::from_bits(0x3f80_8000)), 0x3f80);
        assert_eq!(bf16_bits(f32::from_bits(0x3f81_8000)), 0x3f82);
        assert_eq!(bf16_bits(f32::from_bits(0x3f80_8001)), 0x3f81);
        assert_eq!(bf16_bits(f32::INFINITY), 0x7f80);
        assert_eq!(bf16_bits(f32::NAN) & 0x7fc0, 0x7fc0);
    }

    #[test]
    fn each_slice_has_its_scale() {
        let data = vec![1.0, 10.0, 0.0, -2.0, 5.0, 0.0];
        let weight = ArrayD::from_shape_vec(vec![2, 3], data).unwrap();
        let (quantized, scales) = quantize(&weight, 1);
        assert_eq!(scales, [2.0 / 127.0, 10.0 / 127.0, 1.0]);
        assert_eq!(quantized.into_iter().collect::<Vec<_>>(), [64, 127, 0, -127, 64, 0]);
    }
}
