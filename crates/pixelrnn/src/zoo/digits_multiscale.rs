//! `digits-multiscale`: a Multi-Scale PixelRNN for the embedded 8 x 8 digits, from 4 x 4.
//!
//! Two models in one (section 3.6 of the paper): `scale small` is a model of every second pixel of every
//! second row. The rest is a model of the whole image given the small one. A transposed convolution brings
//! the small image to full size, and every recurrent layer adds a 1 x 1 convolution of it to its gates, as
//! its `bias`. The reported likelihood is the sum of both negative log-likelihoods. The second model predicts
//! every pixel, including those of the small image. So the sum is an upper bound of the negative
//! log-likelihood of the image, and a drawn image need not contain the small one exactly.

crate::model! {
    /// A small Multi-Scale PixelRNN on the 8 x 8 digits: 4 x 4, then 8 x 8.
    pub DigitsMultiscale {
        /// Features of a layer; maps between layers have twice as many.
        h: usize = 16,
        /// Blocks of each body.
        layers: usize = 1,
    }

    image 8 x 8, colors 1, levels 17;

    scale small: every 2 {
        stem: masked_conv(7 x 7, A, 2 * h);
        body: repeat layers {
            residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
        }
        head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
    }

    maps: small.deconv(2 x 2, 16).relu();
    stem: image.masked_conv(7 x 7, A, 2 * h);
    body: repeat layers {
        residual {
            lstm: diagonal_bilstm(h, bias = maps.conv(1 x 1, 4 * h, bias = none));
            up: masked_conv(1 x 1, B, 2 * h);
        }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}
