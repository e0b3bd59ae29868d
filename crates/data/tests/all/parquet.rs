//! `parquet`, in builds with this feature.

use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use pixelrnn_data::Split;

use crate::write::{file, grey, noise};
use crate::{complaint, load, pixels, says, spec};

const SCHEMA: &str = "message schema { optional group image { optional binary bytes; optional binary \
                      path (UTF8); } optional int64 label; }";

/// Writes row groups in the form that Hugging Face's `datasets` writes.
fn write(path: &Path, groups: &[Vec<(Vec<u8>, i64)>]) {
    let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
    let about = r#"{"info": {"features": {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}"#;
    let about = KeyValue::new("huggingface".to_string(), about.to_string());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![about])).build();
    let out = std::fs::File::create(path).expect("a file");
    let mut writer =
        SerializedFileWriter::new(out, schema, Arc::new(properties)).expect("a writer");
    for rows in groups {
        let mut group = writer.next_row_group().expect("a group");
        let mut at = 0;
        while let Some(mut column) = group.next_column().expect("a column") {
            let bytes: Vec<_> = rows.iter().map(|row| row.0.clone().into()).collect();
            let labels: Vec<i64> = rows.iter().map(|row| row.1).collect();
            match at {
                0 => {
                    let levels = vec![2; rows.len()];
                    let column = column.typed::<ByteArrayType>();
                    column.write_batch(&bytes, Some(&levels), None).expect("written");
                }
                1 => {
                    let levels = vec![1; rows.len()];
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(&[], Some(&levels), None)
                        .expect("written");
                }
                _ => {
                    let levels = vec![1; rows.len()];
                    column
                        .typed::<Int64Type>()
                        .write_batch(&labels, Some(&levels), None)
                        .expect("written");
                }
            }
            column.close().expect("closed");
            at += 1;
        }
        group.close().expect("closed");
    }
    writer.close().expect("closed");
}

#[test]
fn data_sets_of_hugging_face() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let row = |n: u8| (grey((2, 2), &[n, n + 1, n + 2, n + 3]), i64::from(n % 2));
    write(&data.join("train-00000-of-00002.parquet"), &[vec![row(0), row(1)], vec![row(2)]]);
    write(&data.join("train-00001-of-00002.parquet"), &[(3..12).map(row).collect()]);
    write(&data.join("test-00000-of-00001.parquet"), &[vec![row(50)]]);
    let loaded = load(&spec("parquet", folder.path(), "")).expect("data");
    let counts: Vec<usize> =
        loaded.splits().iter().map(|&s| loaded.images(s).expect("a split").count()).collect();
    assert_eq!((counts, loaded.classes()), (vec![12, 1, 1], Some(2)));
    assert_eq!(loaded.class_names(), ["cat", "dog"]);
    let first: Vec<u8> = pixels(&loaded, Split::Train).chunks(4).map(|p| p[0]).collect();
    assert_eq!(first, (0..12).collect::<Vec<u8>>());
    let labels = loaded.images(Split::Train).expect("train").labels().expect("labels");
    assert_eq!(labels[..4], [0, 1, 0, 1]);
    let some = load(&spec("parquet", folder.path(), ",limit=3")).expect("data");
    assert_eq!(some.images(Split::Train).expect("train").count(), 3);
    let one = data.join("test-00000-of-00001.parquet");
    assert_eq!(load(&spec("parquet", &one, "")).expect("data").splits(), [Split::Test]);
    let text = complaint(&spec("parquet", &one, ",array=picture"));
    says(&text, &["no column picture", "`image`, `label`", "`,array=NAME`"]);
    let good = std::fs::read(&one).expect("a file");
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        let path = file(folder.path(), "a.parquet", &bytes);
        let _ = load(&spec("parquet", &path, ""));
        let path = file(folder.path(), "a.parquet", &good[..at]);
        says(&complaint(&spec("parquet", &path, "")), &["a.parquet"]);
    }
    let path = file(folder.path(), "b.parquet", &noise(1000));
    says(&complaint(&spec("parquet", &path, "")), &["b.parquet", "Parquet"]);
}
