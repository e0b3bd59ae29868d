//! `mnist-diagonal`: the paper's best model of binarized MNIST.
//!
//! With seven Diagonal BiLSTM layers and h = 16, the paper reports 79.20 nats per image on the test set, its
//! lowest value.

crate::model! {
    /// Diagonal BiLSTM on binarized MNIST: the paper's best.
    pub MnistDiagonal {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 16,
        /// Blocks of the body.
        layers: usize = 7,
    }

    image 28 x 28, colors 1, levels 2;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
