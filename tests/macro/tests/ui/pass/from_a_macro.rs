//! A model that comes out of another macro: numbers and expressions are passed in.

macro_rules! tower {
    ($name:ident, $side:literal, $features:expr, $($layer:ident),*) => {
        pixelrnn::model! {
            pub $name { h: usize = $features }
            image $side x $side, colours 1, levels 2;
            stem: masked_conv(3 x 3, A, 2 * h);
            $($layer;)*
            logits;
        }
    };
}

tower!(Short, 4, 2, relu);
tower!(Tall, 6, 1 + 2, relu, tanh, sigmoid);

pub(super) fn main() {
    use pixelrnn::Model;
    assert_eq!(Tall::default().declare().expect("it compiled").image().width, 6);
    assert_eq!((Short::default().h, Tall::default().h), (2, 3));
}
