//! Programs that must compile without a warning, and run. They are public modules, so that lints see their
//! items as those of programs. (trybuild would build all crates for them, instead of only checking them.)

#[path = "ui/pass/attributes.rs"]
pub mod attributes;
#[path = "ui/pass/colors.rs"]
pub mod colors;
#[path = "ui/pass/crate_path.rs"]
pub mod crate_path;
#[path = "ui/pass/from_a_macro.rs"]
pub mod from_a_macro;
#[path = "ui/pass/grammar.rs"]
pub mod grammar;
#[path = "ui/pass/hostile.rs"]
pub mod hostile;
#[path = "ui/pass/local.rs"]
pub mod local;
#[path = "ui/pass/wrapped.rs"]
pub mod wrapped;

macro_rules! run {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            self::$name::main();
        })*

        /// Every file of the folder is a module here. Otherwise, nothing would compile it.
        #[test]
        fn none_is_missing() {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/pass");
            let mut found: Vec<String> = std::fs::read_dir(folder)
                .expect("a folder")
                .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
                .collect();
            found.sort_unstable();
            assert_eq!(found, [$(concat!(stringify!($name), ".rs")),*]);
        }
    };
}

run!(attributes, colors, crate_path, from_a_macro, grammar, hostile, local, wrapped);
