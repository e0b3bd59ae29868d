//! What leaves a residual block is as wide as what enters.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    body: residual {
        lstm: row_lstm(h);
        up: masked_conv(1 x 1, B, 3 * h);
    }
    logits;
}

fn main() {}
