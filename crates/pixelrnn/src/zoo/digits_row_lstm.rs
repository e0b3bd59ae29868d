//! `digits-row-lstm`: a small Row LSTM for the embedded 8 x 8 digits.
//!
//! One row of the image is one step of the recurrence: the state of each column is computed from those of
//! three columns in the row above. So a pixel sees a triangle above itself, and the current row through the
//! input-to-state convolution (section 3.1 of the paper).
//!
//! `residual { ... }` adds the input of the block to its result. The LSTM has h features, and `up` converts
//! them back to the 2h features of the input.

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
