//! Crates that depend on `pixelrnn` under another name, or only through another crate.

use pixelrnn_macro_tests::{cargo, check, facade, write};

/// A crate that only declares, checks and exports needs no data sets, no training and no engine.
#[test]
fn without_features_only_the_compiler_is_built() {
    let main = r#"
        use pixelrnn::prelude::*;

        pixelrnn::model! {
            /// A model.
            pub Tiny { h: usize = 2 }
            image 3 x 3, colors 1, levels 2;
            stem: masked_conv(3 x 3, A, h); logits;
        }

        fn main() -> Result<(), pixelrnn::Error> {
            let model = Tiny::default().declare()?;
            model.prove()?;
            let mut weights = model.initialize(0);
            // Types of other crates in the interface are reached through `pixelrnn`.
            let ones = pixelrnn::ndarray::ArrayD::ones(weights["logits.bias"].shape());
            weights.insert("logits.bias".to_string(), ones);
            let onnx = model.export(GraphKind::Nll, &ExportOptions::with_weights(&weights))?;
            pixelrnn::files::write(std::path::Path::new("tiny.onnx"), &onnx)
        }
    "#;
    let project = write("light", &facade("pixelrnn"), "main.rs", main);
    let (good, complaint) = check(&project);
    assert!(good && complaint.is_empty(), "{complaint}");
    let (good, tree, complaint) =
        cargo(&project, &["tree", "--edges", "normal,build", "--prefix", "none"]);
    assert!(good, "{complaint}");
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains(&"pixelrnn-passes"), "{crates:?}");
    let heavy = |name: &&&str| {
        let part = ["ort", "tract", "png", "zune", "image", "zip", "flate2", "sha2", "parquet"];
        let own = ["pixelrnn-data", "pixelrnn-train", "pixelrnn-check"];
        let begins = |start: &str| **name == start || name.starts_with(&format!("{start}-"));
        part.into_iter().chain(own).any(begins)
    };
    assert_eq!(crates.iter().find(heavy), None, "{crates:?}");
    // The crates that a user compiles before the first model: their number should stay small.
    let mut names = crates.clone();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() < 65, "{} crates: {names:?}", names.len());
}

/// The training example, as the only file of a user's crate.
#[test]
fn a_crate_that_trains() {
    let main = include_str!("../../../examples/train.rs");
    let dependency = facade("pixelrnn").replace(" }", ", features = [\"train\"] }");
    let project = write("trains", &dependency, "main.rs", main);
    let (good, complaint) = check(&project);
    assert!(good && complaint.is_empty(), "{complaint}");
}

#[test]
fn a_renamed_dependency() {
    let main = r#"
        rnn::model! {
            #[pixelrnn(crate = rnn)]
            /// A model.
            pub Renamed { h: usize = 2 }
            image 3 x 3, colours 1, levels 2;
            stem: masked_conv(3 x 3, A, h); logits;
        }

        fn main() {
            use rnn::Model;
            let declared = Renamed::default().declare().expect("it compiled");
            assert_eq!(declared.image().width, 3);
        }
    "#;
    let dependency = facade("rnn");
    let (good, complaint) = check(&write("renamed", &dependency, "main.rs", main));
    assert!(good && complaint.is_empty(), "{complaint}");
    let unsaid = main.replace("#[pixelrnn(crate = rnn)]", "");
    let (good, complaint) = check(&write("renamed", &dependency, "main.rs", &unsaid));
    assert!(!good && complaint.contains("`pixelrnn`"), "{complaint}");
}

#[test]
fn a_macro_of_another_crate() {
    let library = r#"
        #![no_std]
        pub use ::pixelrnn;

        #[macro_export]
        macro_rules! towers {
            ($($(#[$meta:meta])* $vis:vis $name:ident { $side:literal, $size:expr, $($layer:tt)* })*) => {$(
                $crate::pixelrnn::model! {
                    #[pixelrnn(crate = $crate::pixelrnn)]
                    $(#[$meta])*
                    $vis $name { h: usize = $size }
                    image $side x $side, colours 1, levels 2;
                    stem: masked_conv(3 x 3, A, 2 * h);
                    $($layer)*
                    logits;
                }
            )*};
        }
    "#;
    let main = r#"
        #![deny(warnings, missing_docs)]
        //! A program.

        mod inner {
            zoo::towers! {
                /// A model.
                #[derive(Hash)]
                pub(crate) First { 3, 1 + 1, relu; }
                Second { 4, 3, residual { row_lstm(2 * h); } }
            }

            pub(super) fn name() -> &'static str {
                <Second as zoo::pixelrnn::Model>::NAME
            }
        }

        fn main() {
            assert_eq!(inner::First::default().h, 2);
            assert_eq!(inner::name(), "Second");
        }
    "#;
    let zoo = write("zoo", &facade("pixelrnn"), "lib.rs", library);
    let dependency = format!("zoo = {{ path = {zoo:?} }}");
    let (good, complaint) = check(&write("program", &dependency, "main.rs", main));
    assert!(good && complaint.is_empty(), "{complaint}");
}
