//! No size of the image.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    stem: masked_conv(7 x 7, A, 4);
    logits;
}

fn main() {}
