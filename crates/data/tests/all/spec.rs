//! The language of `--data`.

use pixelrnn_data::{Binarize, Source, Spec};

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
    ];
    for form in forms {
        assert_eq!(form.parse::<Spec>().map(|s| s.to_string()).as_deref(), Ok(form));
    }
    let spec: Spec = " idx : m , binarize = sample , size = 8 x 4 ".parse().expect("a spec");
    assert_eq!(spec.source, Source::Idx("m".into()));
    assert_eq!(spec.binarize, Some(Binarize::Sample));
    assert_eq!((spec.size, spec.levels, spec.limit), (Some((8, 4)), None, None));
}

#[test]
fn wrong_ones_say_what_is_wrong_and_what_would_be_right() {
    let cases: [(&str, &[&str]); 28] = [
        ("", &["no data set", "`digits`", "`npz:FILE`", "`images:FOLDER`"]),
        (",limit=3", &["no data set"]),
        ("digit", &["no data source `digit`", "did you mean `digits`?"]),
        ("cifar:x", &["`cifar`", "did you mean `cifar10`?"]),
        ("mnist", &["no data source `mnist`", "`idx:FILE-or-FOLDER`"]),
        ("a/b.npz", &["did you mean `npz:a/b.npz`?"]),
        ("b.npy", &["did you mean `npy:b.npy`?"]),
        ("m/t10k-images-idx3-ubyte.gz", &["did you mean `idx:m/t10k-images-idx3-ubyte.gz`?"]),
        ("NPZ:x", &["`NPZ`", "did you mean `npz`?"]),
        ("npz", &["`npz` needs a path", "`npz:FILE`"]),
        ("images:", &["`images` needs a path", "`images:FOLDER`"]),
        ("digits:x", &["embedded", "leave out `:x`"]),
        ("digits,limt=3", &["no option `limt`", "did you mean `limit`?", "levels=N"]),
        ("digits,binarise=sample", &["did you mean `binarize`?"]),
        ("digits,resample", &["did you mean `binarize=resample`?"]),
        ("digits,", &["no option ``"]),
        ("npy:a,b.npy", &["no option `b.npy`", "cannot hold a comma"]),
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
        ("digits,limit=3,limit=3", &["`limit` is given twice"]),
    ];
    for (text, words) in cases {
        let error = text.parse::<Spec>().expect_err(text).to_string();
        crate::says(&error, words);
    }
}
