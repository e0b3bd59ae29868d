//! `cifar-diagonal`: the Diagonal BiLSTM of the paper for CIFAR-10.
//!
//! With twelve layers and h = 128, the paper reports 3.00 bits per dimension, its lowest value.

crate::model! {
    /// Diagonal BiLSTM on CIFAR-10: the paper's best.
    pub CifarDiagonal {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 128,
        /// Blocks of the body.
        layers: usize = 12,
    }

    image 32 x 32, colors 3, levels 256;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 1024); relu; logits;
}
