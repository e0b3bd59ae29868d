//! `cifar-gated-mixture`: the Gated PixelCNN for CIFAR-10 with a mixture of discretized logistics as its last
//! layer (Salimans et al. 2017, *PixelCNN++*): 30 parameters for each value instead of 256.
//!
//! The vertical stack `v` reads the rows above, in all columns. The horizontal stack `x` reads the pixels to
//! the left in the current row, and the results of `v`. Together they leave no blind spot (van den Oord et
//! al. 2016, *Conditional Image Generation with PixelCNN Decoders*). The activation is gated: tanh of one
//! half of the features times the sigmoid of the other half.
//!
//! Fourteen layers after the first, 128 features.

crate::model! {
    /// Gated PixelCNN with a mixture of logistics on CIFAR-10.
    pub CifarGatedMixture {
        /// Features of a layer; each gated layer computes twice as many.
        h: usize = 128,
        /// Gated layers behind the first.
        layers: usize = 14,
        /// Logistic distributions of a mixture.
        components: usize = 10,
    }

    image 32 x 32, colors 3, levels 256;

    block gated(v, x, k, mask) {
        up = v.above(k x k, mask, 2 * h);
        link: up.conv(1 x 1, 2 * h);
        along = x.masked_conv(1 x k, mask, 2 * h, gates = 2) + link;
        out: along.gate().masked_conv(1 x 1, B, h);
        (up.gate(), out)
    }

    first: (v, x) = gated(image, image, 7, A);
    body: repeat layers with (v, x) {
        (v, y) = gated(v, x, 5, B);
        (v, x + y)
    }
    x.relu(); hidden: masked_conv(1 x 1, B, 256); relu; logistic_mixture(components);
}
