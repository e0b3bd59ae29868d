//! An unmasked 1 x 1 kernel reads the colors that are to come.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 3, levels 4;

    stem: masked_conv(7 x 7, A, 6);
    body: repeat 2 { mix: conv(1 x 1, 6); }
    logits;
}

fn main() {}
