//! `digits-row-lstm`: a small Row LSTM for the embedded 8 x 8 digits.
//!
//! One row of the image is one step of the recurrence: the state of each column comes from the three
//! columns around it in the row above. So a pixel sees a triangle above itself, and its own row through
//! the input-to-state convolution (section 3.1 of the paper).
//!
//! `residual { ... }` adds what enters the block to what leaves it; the LSTM gives h features, and `up`
//! brings them back to the 2h that entered.

crate::model! {
    /// A small Row LSTM on the 8 x 8 digits.
    pub DigitsRowLstm {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 16,
        /// Blocks of the body.
        layers: usize = 2,
    }

    image 8 x 8, colors 1, levels 17;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual { lstm: row_lstm(h); up: masked_conv(1 x 1, B, 2 * h); }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
