//! More arguments than the layer takes.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    row_lstm(h, 3, zero, 7);
    logits;
}

fn main() {}
