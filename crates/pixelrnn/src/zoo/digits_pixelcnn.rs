//! `digits-pixelcnn`: a small PixelCNN for the embedded 8 x 8 digits.
//!
//! Convolutions only: every pixel of a training image at once, no recurrence, and therefore fast. The
//! price is a blind spot: pixels above to the right stay unseen however many layers there are, which
//! `pixelrnn check digits-pixelcnn --picture context.png` shows.
//!
//! Reading it: the stem has mask A, so that no pixel sees itself; every other layer has mask B. A block
//! is ReLU and convolution three times, 1 x 1 to h features, 3 x 3 to h, 1 x 1 back to 2h, and its input
//! is added (figure 5 of the paper). The head is two 1 x 1 layers; `logits` has one output for each of
//! the 17 levels.

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
