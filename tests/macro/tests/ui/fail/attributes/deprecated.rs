pixelrnn::model! {
    #[deprecated = "use another"]
    pub M;
    image 3 x 3, colours 1, levels 2;
    stem: masked_conv(3x3, A, 1); logits;
}

#[deny(deprecated)]
fn used() {
    let _ = M::default();
}

fn main() {}
