//! `mnist-gated`: a Gated PixelCNN for binarized MNIST.
//!
//! The vertical stack `v` reads the rows above, in all columns. The horizontal stack `x` reads the pixels to
//! the left in the current row, and the results of `v`. Together they leave no blind spot (van den Oord et
//! al. 2016, *Conditional Image Generation with PixelCNN Decoders*). The activation is gated: tanh of one
//! half of the features times the sigmoid of the other half.

crate::model! {
    /// Gated PixelCNN on binarized MNIST.
    pub MnistGated {
        /// Features of a layer; each gated layer computes twice as many.
        h: usize = 32,
        /// Gated layers behind the first.
        layers: usize = 12,
    }

    image 28 x 28, colors 1, levels 2;

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
    x.relu(); hidden: masked_conv(1 x 1, B, 64); relu; logits;
}
