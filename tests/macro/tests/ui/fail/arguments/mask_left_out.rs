//! The mask is left out: what follows moves up.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, 4);
    logits;
}

fn main() {}
