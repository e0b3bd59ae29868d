//! A module where every name that an expansion might use means something else.

#![allow(dead_code, non_camel_case_types, non_upper_case_globals, unused_macros)]

mod unfriendly {
    pub struct Option;
    pub struct Result;
    pub struct String;
    pub struct Vec;
    pub struct Box;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct Err;
    pub struct Source;
    pub struct usize;
    pub struct str;
    pub struct bool;
    pub struct u32;
    pub trait Clone {}
    pub trait Copy {}
    pub trait Debug {}
    pub trait Default {}
    pub trait Eq {}
    pub trait From {}
    pub trait Model {}
    pub trait PartialEq {}
    pub trait ToString {}
    pub mod alloc {}
    pub mod core {}
    pub mod std {}
    pub mod pixelrnn {}
    macro_rules! vec {
        () => {
            compile_error!("not this one")
        };
    }
    macro_rules! file {
        () => {
            compile_error!("not this one")
        };
    }
    macro_rules! compile_error {
        ($t:tt) => {
            nothing_of_the_kind
        };
    }

    ::pixelrnn::model! {
        /// Documented.
        pub Hidden {
            /// So is this.
            h: usize = 2,
            /// The names of methods.
            settings: usize = h,
            default: usize = 1,
        }
        image 3 x 3, colours 1, levels 2;
        stem: masked_conv(3x3, A, h); logits;
    }

    ::pixelrnn::model! {
        pub Empty
        image 3 x 3, colours 1, levels 2;
        stem: masked_conv(3x3, A, 1); logits;
    }
}

mod no_prelude {
    #![no_implicit_prelude]

    ::pixelrnn::model! {
        pub Bare { h: usize = 2 }
        image 3 x 3, colours 1, levels 2;
        stem: masked_conv(3x3, A, h); logits;
    }
}

// Hygiene the other way: what is generated gives no name to its surroundings, so two models, and
// items called like its insides, live side by side.
fn __names() {}
const model: () = ();

pub(super) fn main() {
    use pixelrnn::Model;
    let hidden = unfriendly::Hidden { h: 3, ..unfriendly::Hidden::default() };
    assert_eq!(hidden.settings(), [("h", 3), ("settings", 2), ("default", 1)]);
    assert!(unfriendly::Hidden::source().text.contains("stem: masked_conv(3x3, A, h)"));
    assert_eq!(unfriendly::Empty::NAME, "Empty");
    assert_eq!(no_prelude::Bare::default().h, 2);
    __names();
    model
}
