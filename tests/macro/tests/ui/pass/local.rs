//! A model inside of a function, private, with its place in the file.

pub(super) fn main() {
    pixelrnn::model! {
        Inner { h: usize = 1 }
        image 3 x 3, colours 1, levels 2;
        stem: masked_conv(3x3, A, h); logits;
    }
    use pixelrnn::Model;
    let source = Inner::source();
    assert_eq!(source.line_offset, 4);
    assert!(source.name.ends_with("local.rs"), "{}", source.name);
    let declared = Inner { h: 7 }.declare().expect("it compiled");
    assert!(declared.graph().inputs().iter().any(|input| input.name == "stem.weight"));
}
