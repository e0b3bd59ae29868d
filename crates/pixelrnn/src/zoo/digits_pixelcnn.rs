//! `digits-pixelcnn`: a small PixelCNN for the embedded 8 x 8 digits.
//!
//! Convolutions only: all pixels of a training image are computed at once, without a recurrence, so the model
//! is fast. But it has a blind spot: some pixels above and to the right are not seen, whatever the number of
//! layers. `pixelrnn check digits-pixelcnn --picture context.png` shows it.
//!
//! How to read the model: the stem has mask A, so that no pixel sees itself; every other layer has mask B. A
//! block has three ReLUs with a convolution each, 1 x 1 to h features, 3 x 3 to h, 1 x 1 back to 2h, and its
//! input is added to its result (figure 5 of the paper). The head has two 1 x 1 layers. `logits` has one
//! output for each of the 17 levels.

crate::model! {
    /// A small PixelCNN on the 8 x 8 digits.
    pub DigitsPixelCnn {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 16,
        /// Blocks of the body.
        layers: usize = 3,
    }

    image 8 x 8, colors 1, levels 17;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual {
            relu; narrow: masked_conv(1 x 1, B, h);
            relu; across: masked_conv(3 x 3, B, h);
            relu; widen: masked_conv(1 x 1, B, 2 * h);
        }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
