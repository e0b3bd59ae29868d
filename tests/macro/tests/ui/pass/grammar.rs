//! Every form of the grammar, with every warning of rustc an error.

#![deny(missing_docs, warnings)]
#![forbid(deprecated, missing_docs, unsafe_code)]

pub mod forms {
    //! Visibilities, fields, expressions, kernels, blocks.

    pixelrnn::model! {
        /// All layers and blocks.
        ///
        /// In several paragraphs, with `code` and a table's | bar.
        pub Everything {
            /// Features.
            h: usize = 2,
            /// Computed from the one before.
            wide: usize = 2 * h,
            #[doc = "Written out."]
            deep: usize = (wide + 2) / 3 - 1,
        }

        image 8 x 2 * wide, colours 3, levels 2 + 2;

        stem: masked_conv(7x7, A, 3 * wide);
        body: repeat deep + 1 {
            residual {
                relu;
                across: masked_conv(2 * h - 1 x h + 1, B, wide);
                up: masked_conv(1x1, B, features = 3 * wide,);
            }
        }
        // A comment, and a block that only names.
        rows: block {
            row_lstm(6);
            wider: row_lstm(6, 5, learned);
            named: row_lstm(features = 6, initial = zero, kernel = 3);
        }
        gathered: collect {
            repeat 2 { tanh; masked_conv(1 x 1, B, 6); skip(9); }
            back: diagonal_bilstm(9, initial = learned);
        }
        sigmoid();
        logits
        ;
    }

    pixelrnn::model! {
        /// No fields; the semicolon may stand.
        pub Bare;
        image 3 x 3, colours 1, levels 2;
        masked_conv(3x3, A, 1); logits;
    }

    pixelrnn::model! {
        pub(crate) Crate {}
        image 3 x 3, colours 1, levels 2;
        masked_conv(3x3, A, 1); logits;
    }

    pixelrnn::model! {
        pub(in crate::grammar::forms) Path
        image 3 x 3, colours 1, levels 2;
        masked_conv(3x3, A, 1); logits;
    }

    pixelrnn::model! {
        /** A block comment; names that mean something elsewhere. */
        pub Words { x: usize = 3, repeat: usize = 1, residual: usize = 1 }
        image x x x, colours residual, levels 2;
        collect: masked_conv(x x x, A, residual); block: repeat repeat { tanh: relu; } logits;
    }

    /// All of them are used.
    pub fn names() -> [&'static str; 5] {
        use pixelrnn::Model;
        [Everything::NAME, Bare::NAME, Crate::NAME, Path::NAME, Words::NAME]
    }
}

pub(super) fn main() {
    use pixelrnn::Model;
    let model = forms::Everything::default();
    assert_eq!((model.h, model.wide, model.deep), (2, 4, 1));
    assert_eq!(model.settings(), [("h", 2), ("wide", 4), ("deep", 1)]);
    let smaller = forms::Everything { deep: 3, ..model };
    assert_ne!(smaller, model);
    let declared = smaller.declare().expect("it compiled");
    assert_eq!(declared.image().height, 8);
    declared.prove().expect("it compiled");
    assert!(forms::Bare::default().settings().is_empty());
    assert_eq!(forms::Words { x: 5, ..forms::Words::default() }.settings()[0], ("x", 5));
    assert_eq!(forms::names()[3], "Path");
}
