//! Mask A leaves a 1 x 1 kernel of one color nothing.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(1 x 1, A, 4);
    logits;
}

fn main() {}
