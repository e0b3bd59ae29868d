//! One level leaves nothing to predict.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 1;

    stem: masked_conv(7 x 7, A, 4);
    logits;
}

fn main() {}
