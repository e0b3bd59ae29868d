//! `digits-gated-mixture`: a small Gated PixelCNN for the embedded 8 x 8 digits with a mixture of discretized
//! logistics (Salimans et al. 2017, *PixelCNN++*) instead of a softmax. Neighboring levels share parameters,
//! so 256 levels would need no more parameters than 17.
//!
//! The vertical stack `v` reads the rows above, in all columns. The horizontal stack `x` reads the pixels to
//! the left in the current row, and the results of `v`. Together they leave no blind spot (van den Oord et
//! al. 2016, *Conditional Image Generation with PixelCNN Decoders*). The activation is gated: tanh of one
//! half of the features times the sigmoid of the other half.

crate::model! {
    /// A small Gated PixelCNN with a mixture of logistics on the 8 x 8 digits.
    pub DigitsGatedMixture {
        /// Features of a layer; each gated layer computes twice as many.
        h: usize = 24,
        /// Gated layers behind the first.
        layers: usize = 4,
        /// Logistic distributions of a mixture.
        components: usize = 5,
    }

    image 8 x 8, colors 1, levels 17;

    block gated(v, x, k, mask) {
        up = v.above(k x k, mask, 2 * h);
        link: up.conv(1 x 1, 2 * h);
        along = x.masked_conv(1 x k, mask, 2 * h, gates = 2) + link;
        out: along.gate().masked_conv(1 x 1, B, h);
        (up.gate(), out)
    }

    first: (v, x) = gated(image, image, 7, A);
    body: repeat layers with (v, x) {
        (v, y) = gated(v, x, 3, B);
        (v, x + y)
    }
    x.relu(); hidden: masked_conv(1 x 1, B, 32); relu; logistic_mixture(components);
}
