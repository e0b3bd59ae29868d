//! A crate that knows `pixelrnn` under another name.

use std::process::Command;

mod project;

const MAIN: &str = r#"
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

#[test]
fn a_renamed_dependency() {
    let project = project::write("renamed", "rnn", MAIN);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let check = |main: &str| {
        std::fs::write(project.join("src").join("main.rs"), main).expect("to write");
        let output = Command::new(&cargo)
            .args(["check", "--offline", "--quiet"])
            .current_dir(&project)
            .env("CARGO_TARGET_DIR", project::target())
            .output()
            .expect("cargo");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (good, complaint) = check(MAIN);
    assert!(good, "{complaint}");
    let (good, complaint) = check(&MAIN.replace("#[pixelrnn(crate = rnn)]", ""));
    assert!(!good && complaint.contains("`pixelrnn`"), "{complaint}");
}
