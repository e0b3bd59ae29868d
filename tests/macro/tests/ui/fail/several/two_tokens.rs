//! Two errors, each on its own token.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;

    stem: masked_conv(7 x 7, A, hh);
    body: repeat h { lstm: row_lsmt(h); }
    logits;
}

fn main() {}
