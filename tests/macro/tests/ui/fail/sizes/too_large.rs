//! A slip of the pen: thousands of millions of weights.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    wide: masked_conv(101 x 101, B, 60_000);
    logits;
}

fn main() {}
