//! An unmasked kernel reads what is to come.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    body: residual {
        norm: relu;
        mix: conv(3 x 3, 4);
    }
    head: masked_conv(1 x 1, B, 4);
    relu;
    logits;
}

fn main() {}
