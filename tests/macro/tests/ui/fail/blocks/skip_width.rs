//! A skip connection is as wide as what leaves the block.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    collect {
        masked_conv(3 x 3, B, 4);
        skip(2 * h + 1);
    }
    logits;
}

fn main() {}
