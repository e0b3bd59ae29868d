//! Layers without a label go by their own name.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    masked_conv(3 x 3, B, 4);
    masked_conv(3 x 3, B, 4);
    logits;
}

fn main() {}
