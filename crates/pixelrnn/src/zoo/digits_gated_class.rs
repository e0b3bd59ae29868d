//! `digits-gated-class`: the Gated PixelCNN of `digits-gated`, conditioned on the digit to draw.
//!
//! `condition label` is the digit's class, which is part of the data. Its convolution is a column of weights
//! for each class, added before the gates.

crate::model! {
    /// A class-conditional Gated PixelCNN on the 8 x 8 digits.
    pub DigitsGatedClass {
        /// Features of a layer; each gated layer computes twice as many.
        h: usize = 24,
        /// Gated layers behind the first.
        layers: usize = 4,
    }

    image 8 x 8, colors 1, levels 17;
    condition label: classes 10;

    block gated(v, x, k, mask, cond) {
        up = v.above(k x k, mask, 2 * h) + cond.conv(1 x 1, 2 * h, bias = none);
        link: up.conv(1 x 1, 2 * h);
        along = x.masked_conv(1 x k, mask, 2 * h, gates = 2) + link + cond.conv(1 x 1, 2 * h, bias = none);
        out: along.gate().masked_conv(1 x 1, B, h);
        (up.gate(), out)
    }

    first: (v, x) = gated(image, image, 7, A, label);
    body: repeat layers with (v, x) {
        (v, y) = gated(v, x, 3, B, label);
        (v, x + y)
    }
    x.relu(); hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
