//! `mnist-diagonal-1x32`: one wide Diagonal BiLSTM layer for binarized MNIST.
//!
//! With one layer and h = 32, the paper already reports 80.75 nats per image. A single Diagonal BiLSTM sees
//! nearly all earlier pixels, so more layers add computation, not context.

crate::model! {
    /// One Diagonal BiLSTM layer on binarized MNIST.
    pub MnistDiagonal1x32 {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 32,
        /// Blocks of the body.
        layers: usize = 1,
    }

    image 28 x 28, colors 1, levels 2;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
