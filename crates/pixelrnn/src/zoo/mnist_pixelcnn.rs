//! `mnist-pixelcnn`: a PixelCNN for binarized MNIST.
//!
//! With two levels, `logits` has one output per pixel, and the distribution is Bernoulli. The paper reports
//! 81.30 nats per image on the test set and does not give the width; h = 16 and 7 layers match the recurrent
//! models here.

crate::model! {
    /// PixelCNN on binarized MNIST.
    pub MnistPixelCnn {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 16,
        /// Blocks of the body.
        layers: usize = 7,
    }

    image 28 x 28, colors 1, levels 2;

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
