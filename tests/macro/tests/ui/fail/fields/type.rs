//! Hyper-parameters are whole numbers.

pixelrnn::model! {
    pub Wrong { h: usize = 2, rate: f32 = 1 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    logits;
}

fn main() {}
