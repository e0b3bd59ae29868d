//! Crates that know `pixelrnn` under another name, or not at all.

use std::path::Path;
use std::process::Command;

mod project;

/// Whether a project is free of errors, and what cargo says to it.
fn check(project: &Path) -> (bool, String) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(&cargo)
        .args(["check", "--offline", "--quiet"])
        .current_dir(project)
        .env("CARGO_TARGET_DIR", project::target())
        .output()
        .expect("cargo");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
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
    let dependency = project::facade("rnn");
    let (good, complaint) = check(&project::write("renamed", &dependency, "main.rs", main));
    assert!(good && complaint.is_empty(), "{complaint}");
    let unsaid = main.replace("#[pixelrnn(crate = rnn)]", "");
    let (good, complaint) = check(&project::write("renamed", &dependency, "main.rs", &unsaid));
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
    let zoo = project::write("zoo", &project::facade("pixelrnn"), "lib.rs", library);
    let dependency = format!("zoo = {{ path = {zoo:?} }}");
    let (good, complaint) = check(&project::write("program", &dependency, "main.rs", main));
    assert!(good && complaint.is_empty(), "{complaint}");
}
