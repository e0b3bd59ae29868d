//! One in each line, and no output.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 8, A, 4);
    skip(4);
    row_lstm(kernel = 3);
}

fn main() {}
