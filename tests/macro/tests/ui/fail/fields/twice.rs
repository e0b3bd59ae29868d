//! Two hyper-parameters of one name.

pixelrnn::model! {
    pub Wrong { h: usize = 2, h: usize = 4 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    logits;
}

fn main() {}
