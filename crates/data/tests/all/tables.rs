//! `csv` and `amat`.

use pixelrnn_data::Split;

use crate::write::{file, gzip, noise};
use crate::{complaint, load, pixels, says, spec};

fn lines(values: &[u8], width: usize, between: &str) -> String {
    let line = |row: &[u8]| row.iter().map(u8::to_string).collect::<Vec<_>>().join(between);
    values.chunks(width).map(|row| line(row) + "\n").collect()
}

#[test]
fn binarized_mnist_as_it_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let bits: Vec<u8> = noise(30 * 64).into_iter().map(|v| v >> 7).collect();
    for (name, n) in [("train", 30), ("valid", 5), ("test", 7)] {
        let text = lines(&bits[..n * 64], 64, " ");
        file(folder.path(), &format!("binarized_mnist_{name}.amat"), text.as_bytes());
    }
    let data = load(&spec("amat", folder.path(), "")).expect("data");
    assert_eq!((data.levels(), data.shape().to_string()), (2, "8 x 8".to_string()));
    let counts = Split::ALL.map(|s| data.images(s).expect("a split").count());
    assert_eq!((counts, data.shared(), data.classes()), ([30, 5, 7], 0, None));
    assert_eq!(pixels(&data, Split::Train), bits);
}

#[test]
fn tables_with_labels_and_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: Vec<u8> = (0..20).flat_map(|i| [vec![i % 4], noise(64)].concat()).collect();
    let text = lines(&rows, 65, ",");
    let names: Vec<String> = (0..64).map(|i| format!("pixel{i}")).collect();
    let named = format!("label,{}\r\n{}", names.join(","), text.replace('\n', "\r\n"));
    for (name, bytes) in [
        ("plain.csv", text.clone().into_bytes()),
        ("named.csv", named.into_bytes()),
        ("packed.csv.gz", gzip(text.as_bytes())),
    ] {
        let data = load(&spec("csv", &file(folder.path(), name, &bytes), "")).expect(name);
        assert_eq!((data.classes(), data.shape().to_string()), (Some(4), "8 x 8".to_string()));
        assert_eq!(pixels(&data, Split::Train), noise(64).repeat(20), "{name}");
        let labels = data.images(Split::Train).expect("train").labels().expect("labels");
        assert_eq!(labels[..5], [0, 1, 2, 3, 0], "{name}");
    }
    let wrong = |text: &str, words: &[&str]| {
        let path = file(folder.path(), "wrong.csv", text.as_bytes());
        says(&complaint(&spec("csv", &path, "")), words);
    };
    wrong("", &["wrong.csv"]);
    wrong(&text.replace("\n1,", "\n1,0.5,"), &["wrong.csv, line 2", "66 numbers", "has 65"]);
    wrong(&text.replacen("60", "0.5", 1), &["line 1", "0.5 is not a level", "`range=0:1`"]);
    wrong(&text.replacen("\n1,60", "\n1,x", 1), &["line 2", "`x` is not a number"]);
    wrong("<html><body>", &["a web page"]);
    wrong("1,2,3\n", &["[1, 3]"]);
    let floats = lines(&rows, 65, ",").replace(",60,", ",1.0,");
    let path = file(folder.path(), "f.csv", floats.as_bytes());
    assert!(load(&spec("csv", &path, "")).is_ok());
    says(&complaint(&spec("csv", folder.path().join("no").as_path(), "")), &["cannot read"]);
    let empty = tempfile::tempdir().expect("a folder");
    says(&complaint(&spec("csv", empty.path(), "")), &["contains no files that end in `.csv`"]);
}
