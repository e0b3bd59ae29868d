//! `cifar-multiscale`: a Multi-Scale PixelRNN for CIFAR-10, from 8 x 8.
//!
//! Two models in one (section 3.6 of the paper): `scale small` is a model of every fourth pixel of every
//! fourth row. The rest is a model of the whole image given the small one. A transposed convolution brings
//! the small image to full size, and every recurrent layer adds a 1 x 1 convolution of it to its gates, as
//! its `bias`. The reported likelihood is the sum of both negative log-likelihoods. The second model predicts
//! every pixel, including those of the small image. So the sum is an upper bound of the negative
//! log-likelihood of the image, and a drawn image need not contain the small one exactly.

crate::model! {
    /// Multi-Scale PixelRNN on CIFAR-10: 8 x 8, then 32 x 32.
    pub CifarMultiscale {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 128,
        /// Blocks of each body.
        layers: usize = 12,
    }

    image 32 x 32, colors 3, levels 256;

    scale small: every 4 {
        stem: masked_conv(7 x 7, A, 2 * h);
        body: repeat layers {
            residual { lstm: row_lstm(h); up: masked_conv(1 x 1, B, 2 * h); }
        }
        head: relu; hidden: masked_conv(1 x 1, B, 1024); relu; logits;
    }

    maps: small.deconv(4 x 4, 64).relu();
    stem: image.masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual {
            lstm: row_lstm(h, bias = maps.conv(1 x 1, 4 * h, bias = none));
            up: masked_conv(1 x 1, B, 2 * h);
        }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 1024); relu; logits;
}
