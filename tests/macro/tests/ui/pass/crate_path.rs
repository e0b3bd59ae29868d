//! `#[pixelrnn(crate = path)]`: another path to the crate, as for a macro that re-exports it.

#![allow(dead_code)]

/// Not the real crate, so that a path that misses it does not compile.
mod stand_in {
    pub struct Source {
        pub name: String,
        pub text: String,
        pub line_offset: usize,
    }

    pub trait Model {
        const NAME: &'static str;
        fn source() -> Source;
        fn settings(&self) -> Vec<(&'static str, usize)>;
    }
}

mod user {
    mod rnn {
        pub use crate::crate_path::stand_in::{Model, Source};
    }

    macro_rules! reexported {
        ($name:ident) => {
            pixelrnn::model! {
                #[pixelrnn(crate = $crate::crate_path::stand_in)]
                pub $name
                image 3 x 3, colours 1, levels 2;
                stem: masked_conv(3x3, A, 1); logits;
            }
        };
    }

    pixelrnn::model! {
        #[pixelrnn(crate = self::rnn)]
        /// Relative.
        pub Relative { h: usize = 2 }
        image 3 x 3, colours 1, levels 2;
        stem: masked_conv(3x3, A, h); logits;
    }

    pixelrnn::model! {
        /// Not the first attribute, and from a parent.
        #[pixelrnn(crate = super::stand_in,)]
        pub Parent { h: usize = 2 }
        image 3 x 3, colours 1, levels 2;
        stem: masked_conv(3x3, A, h); logits;
    }

    pixelrnn::model! {
        #[pixelrnn(crate = ::pixelrnn)]
        pub Absolute
        image 3 x 3, colours 1, levels 2;
        stem: masked_conv(3x3, A, 1); logits;
    }

    reexported!(Reexported);
}

fn is_stand_in<M: stand_in::Model>() -> stand_in::Source {
    M::source()
}

pub(super) fn main() {
    let source = is_stand_in::<user::Relative>();
    assert_eq!(source.name, file!());
    assert!(source.text.trim_start().starts_with("/// Relative.\n"), "{}", source.text);
    // The first line of the text is the one of its first token.
    assert_eq!(source.line_offset, 37);
    is_stand_in::<user::Parent>();
    is_stand_in::<user::Reexported>();
    assert_eq!(<user::Absolute as pixelrnn::Model>::NAME, "Absolute");
}
