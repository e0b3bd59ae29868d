//! Both spellings of the number of colors.

pixelrnn::model! {
    pub Colors { h: usize = 2 }

    image 8 x 8, colors 1, levels 2;

    stem: masked_conv(7 x 7, A, 4);
    logits;
}

pub(super) fn main() {
    assert_eq!(Colors::default().h, 2);
}
