pixelrnn::model! {
    M { #[cfg(all())] h: usize = 1 }
    image 3 x 3, colours 1, levels 2;
    stem: masked_conv(3x3, A, 1); logits;
}

fn main() {}
