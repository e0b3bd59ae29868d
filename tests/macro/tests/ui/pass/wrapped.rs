//! A model that comes out of another crate's macro, with everything that such a macro can pass on.

#![deny(missing_docs, warnings)]

macro_rules! models {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $ty:ty = $default:expr),* $(,)?
        }
        $side:literal, $layer:path, $size:expr
    )*) => {$(
        pixelrnn::model! {
            #[pixelrnn(crate = pixelrnn)]
            $(#[$meta])*
            $vis $name { $($(#[$field_meta])* $field: $ty = $default),* }
            image $side x $side, colours 1, levels 2;
            stem: masked_conv(3 x 3, A, 2 * $size);
            $layer;
            logits;
        }
    )*};
}

pub mod inner {
    //! Every visibility.

    models! {
        /// Documented, and "quoted".
        ///
        /// In two paragraphs.
        #[derive(Hash)]
        pub struct Public {
            /// A field.
            h: usize = 1 + 1,
        }
        4, relu, 1 + 2

        pub(crate) struct Crate { h: usize = 2 }
        5, tanh, 3

        pub(in crate::wrapped::inner) struct In {}
        6, sigmoid, 3

        pub(self) struct Own {}
        7, sigmoid, 3

        struct Private {}
        8, sigmoid, 3
    }

    /// All of them are used.
    pub fn names() -> [&'static str; 3] {
        use pixelrnn::Model;
        [In::NAME, Own::NAME, Private::NAME]
    }
}

pub(super) fn main() {
    use pixelrnn::Model;
    let declared = inner::Public::default().declare().expect("it compiled");
    assert_eq!(declared.image().width, 4);
    assert_eq!(declared.doc(), "Documented, and \"quoted\".\n\nIn two paragraphs.");
    let features = declared.graph().inputs().iter().find(|input| input.name == "stem.bias");
    let features = features.expect("a bias").value;
    assert_eq!(declared.graph().ty(features).size(), 2 * (1 + 2));
    assert_eq!(inner::Crate::default().h, 2);
    assert_eq!(inner::names(), ["In", "Own", "Private"]);
}
