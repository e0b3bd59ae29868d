//! The syntax of `--data`.

use pixelrnn_data::{Binarize, Spec};

#[test]
fn every_form_is_read_and_printed_as_written() {
    let forms = [
        "digits",
        "npz:a/b.npz",
        "npy:b.npy,limit=3",
        "idx:folder,binarize=resample",
        "cifar10:folder,levels=16",
        "images:a folder,limit=1,size=32x16,levels=2,binarize=threshold",
        "npz:C:x.npz,size=1x1",
        "npz:\"a,b.npz\",array=x,labels=\"y,z\",range=-1:1,holdout=0.25,shuffle=7,limit=3",
        "images:it's here,shuffle=off,crop=3x4,fit=pad,size=2x2,colors=1,levels=4",
        "npy:a='b.npy,limit=3",
        "images:D:\"x,limit=3",
        "npy:\"she said \"\"a,b\"\".npy\"",
    ];
    for form in forms {
        assert_eq!(form.parse::<Spec>().map(|s| s.to_string()).as_deref(), Ok(form));
    }
    let spec: Spec = " idx : m , binarize = sample , size = 8 x 4 ".parse().expect("a spec");
    assert_eq!((spec.source.format.word, spec.source.path), ("idx", Some("m".into())));
    assert_eq!(spec.binarize, Some(Binarize::Sample));
    assert_eq!((spec.size, spec.levels, spec.limit), (Some((8, 4)), None, None));
    let single: Spec = "npy:'a,b.npy', colors = 3".parse().expect("a spec");
    assert_eq!((single.source.location(), single.colours), ("a,b.npy".into(), Some(3)));
    let home: Spec = "npy:~/a.npy".parse().expect("a spec");
    if let Some(folder) = std::env::home_dir().filter(|f| !f.as_os_str().is_empty()) {
        assert_eq!(home.source.location(), folder.join("a.npy"));
    }
    assert_eq!(home.to_string(), "npy:~/a.npy", "as it was written");
}

#[test]
fn wrong_ones_say_what_is_wrong_and_what_would_be_right() {
    let cases: [(&str, &[&str]); 35] = [
        (
            "",
            &["missing data set", "`digits`", "`npz:FILE-or-FOLDER`", "`images:FOLDER-or-ARCHIVE`"],
        ),
        (",limit=3", &["missing data set"]),
        ("digit", &["unknown data source `digit`", "did you mean `digits`?"]),
        ("cifar:x", &["`cifar`", "did you mean `cifar10`?"]),
        ("mnist", &["unknown data source `mnist`", "`idx:FILE-or-FOLDER`"]),
        ("a/b.npz", &["did you mean `npz:a/b.npz`?"]),
        ("b.npy", &["did you mean `npy:b.npy`?"]),
        ("m/t10k-images-idx3-ubyte.gz", &["did you mean `idx:m/t10k-images-idx3-ubyte.gz`?"]),
        ("NPZ:x", &["`NPZ`", "did you mean `npz`?"]),
        ("npz", &["`npz` needs a path", "`npz:FILE-or-FOLDER`"]),
        ("images:", &["`images` needs a path", "`images:FOLDER-or-ARCHIVE`"]),
        ("digits:x", &["embedded", "leave out `:x`"]),
        ("digits,limt=3", &["unknown option `limt`", "did you mean `limit`?", "levels=N"]),
        ("digits,binarised=sample", &["did you mean `binarise`?"]),
        ("digits,resample", &["did you mean `binarize=resample`?"]),
        ("digits,", &["unknown option ``"]),
        ("npy:a,b.npy", &["unknown option `b.npy`", "in quotes"]),
        ("digits,limit", &["`limit` needs a value", "`limit=1000`"]),
        ("digits,limit=", &["`limit` needs a value"]),
        ("digits,limit=0", &["`limit` cannot be `0`", "1 or more"]),
        ("digits,limit=-1", &["`limit` cannot be `-1`"]),
        ("digits,levels=1", &["`levels` cannot be `1`", "2 to 256"]),
        ("digits,levels=257", &["`levels` cannot be `257`"]),
        ("digits,size=8", &["`size` cannot be `8`", "`size=32x32`"]),
        ("digits,size=0x8", &["`size` cannot be `0x8`"]),
        ("digits,size=99999999999999999999x8", &["`size` cannot be"]),
        ("digits,binarize=samples", &["cannot be `samples`", "did you mean `sample`?"]),
        ("npy:\"a.npy,limit=3", &["unclosed quote"]),
        ("npy:a.npy,range=1:0", &["`range` cannot be `1:0`", "`range=-1:1`"]),
        ("digits,holdout=1", &["`holdout` cannot be `1`", "`holdout=0.1`"]),
        ("digits,shuffle=of", &["`shuffle` cannot be `of`", "did you mean `off`?"]),
        ("digits,fit=cropp,size=2x2", &["did you mean `crop`?"]),
        ("digits,color=1", &["unknown option `color`", "did you mean `colo"]),
        ("x/cifar-10-binary.tar.gz", &["did you mean `cifar10:x/cifar-10-binary.tar.gz`?"]),
        ("digits,limit=3,limit=3", &["`limit` is given twice"]),
    ];
    for (text, words) in cases {
        let error = text.parse::<Spec>().expect_err(text).to_string();
        crate::says(&error, words);
    }
}
