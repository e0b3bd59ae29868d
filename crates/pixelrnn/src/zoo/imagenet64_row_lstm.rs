//! `imagenet64-row-lstm`: the Row LSTM of the paper for ImageNet at 64 x 64.
//!
//! Four layers with h = 512, without residual connections. The paper reports 3.63 bits per dimension.

crate::model! {
    /// Row LSTM on ImageNet, 64 x 64.
    pub Imagenet64RowLstm {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 512,
        /// Blocks of the body.
        layers: usize = 4,
    }

    image 64 x 64, colors 3, levels 256;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        lstm: row_lstm(h); up: masked_conv(1 x 1, B, 2 * h);
    }
    head: relu; hidden: masked_conv(1 x 1, B, 1024); relu; logits;
}
