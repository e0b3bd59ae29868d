//! `digits-diagonal`: a small Diagonal BiLSTM for the embedded 8 x 8 digits.
//!
//! The strongest layer of the paper (section 3.2): two recurrences run along the diagonals, one from the left
//! and one from the right. Together, every pixel sees all earlier pixels but one. The layer takes H + W - 1
//! steps, where a Row LSTM takes H.
//!
//! A variant is a value of the type: `DigitsDiagonal { h: 32, layers: 1 }`.

crate::model! {
    /// A small Diagonal BiLSTM on the 8 x 8 digits.
    pub DigitsDiagonal {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 16,
        /// Blocks of the body.
        layers: usize = 2,
    }

    image 8 x 8, colors 1, levels 17;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
