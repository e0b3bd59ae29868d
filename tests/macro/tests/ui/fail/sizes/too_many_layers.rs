//! A slip of the pen: forty thousand layers.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    repeat 200 { repeat 200 { relu; } }
    logits;
}

fn main() {}
