//! A recurrent layer on the image itself.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    lstm: row_lstm(h);
    logits;
}

fn main() {}
