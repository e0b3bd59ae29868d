//! `mnist-row-lstm`: a Row LSTM for binarized MNIST.
//!
//! The paper reports 80.54 nats per image on the test set and does not give the width; h = 16 and 7 layers
//! match its Diagonal BiLSTM.

crate::model! {
    /// Row LSTM on binarized MNIST.
    pub MnistRowLstm {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 16,
        /// Blocks of the body.
        layers: usize = 7,
    }

    image 28 x 28, colors 1, levels 2;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual { lstm: row_lstm(h); up: masked_conv(1 x 1, B, 2 * h); }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
