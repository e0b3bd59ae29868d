//! `cifar-pixelcnn`: the PixelCNN of the paper for CIFAR-10.
//!
//! With three colors of 256 levels, features form three groups. Inside a pixel, green may read red, and blue
//! may read both (section 3.4). With fifteen layers and h = 128, the paper reports 3.14 bits per dimension.

crate::model! {
    /// PixelCNN on CIFAR-10.
    pub CifarPixelCnn {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 128,
        /// Blocks of the body.
        layers: usize = 15,
    }

    image 32 x 32, colors 3, levels 256;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual {
            relu; narrow: masked_conv(1 x 1, B, h);
            relu; across: masked_conv(3 x 3, B, h);
            relu; widen: masked_conv(1 x 1, B, 2 * h);
        }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 1024); relu; logits;
}
