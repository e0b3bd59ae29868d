//! `parquet:FILE-or-FOLDER`: data sets as Hugging Face publishes them, with a column of encoded
//! pictures and often one of labels.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};

use super::Request;
use super::files::{Files, split_of};
use super::images::decode_bytes;
use super::input::open_file;
use super::part::{Each, Part, Pixels, Raw};
use crate::dataset::Split;
use crate::error::{Absence, DataError, Place};

/// Names of label columns, in order of preference.
const LABELS: [&str; 7] = ["label", "labels", "fine_label", "target", "class", "y", "coarse_label"];

/// Reads a file, or the files of a folder, whose names contain their split.
pub fn read(request: &Request) -> Result<Raw, DataError> {
    let path = request.path;
    let mut files: [Vec<PathBuf>; 3] = Default::default();
    if path.is_dir() {
        for entry in Files::folder(path, 3)?.entries() {
            let Some(file) = entry.path().filter(|_| entry.base().ends_with(".parquet")) else {
                continue;
            };
            let folders = entry.folders();
            let split = folders.iter().rev().find_map(|name| split_of(name));
            let split = split_of(entry.base()).or(split).unwrap_or(Split::Train);
            files[split as usize].push(file.to_path_buf());
        }
    } else {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        files[split_of(&name).unwrap_or(Split::Train) as usize].push(path.to_path_buf());
    }
    if files.iter().all(Vec::is_empty) {
        let wanted = "files that end in `.parquet`".to_string();
        return Err(DataError::NoFiles { folder: path.to_path_buf(), wanted });
    }
    let mut class_names = Vec::new();
    let mut part = |files: Vec<PathBuf>, wanted| -> Result<_, DataError> {
        let mut parts = Vec::new();
        for file in files {
            let (part, names) = guarded(&file, || shard(request, &file))?;
            parts.push(part);
            if class_names.is_empty() {
                class_names = names;
            }
        }
        Ok(Part::chain(parts).ok_or(Absence::File { folder: path.to_path_buf(), wanted }))
    };
    let [train, valid, test] = files;
    let train = part(train, "`train-*.parquet`")?;
    let valid = part(valid, "`validation-*.parquet`")?;
    let test = part(test, "`test-*.parquet`")?;
    Ok(Raw { levels: Some(256), train, valid, test, class_names, warnings: Vec::new() })
}

fn wrong(path: &Path) -> impl Fn(ParquetError) -> DataError {
    let place = Place::file(path);
    move |error| DataError::Parquet { place: place.clone(), reason: error.to_string() }
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let (file, _) = open_file(path)?;
    SerializedFileReader::new(file).map_err(wrong(path))
}

/// Runs code that calls the Parquet reader, and turns its panics on damaged files into errors.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let reason = "it is damaged; download or write it again".to_string();
        Err(DataError::Parquet { place: Place::file(path), reason })
    })
}

/// The images of a file, their labels, and the names of the classes.
fn shard(request: &Request, path: &Path) -> Result<(Part, Vec<String>), DataError> {
    let reader = open(path)?;
    let metadata = reader.metadata().file_metadata();
    let columns = metadata.schema().get_fields();
    let named = |wanted: &str| columns.iter().position(|column| column.name() == wanted);
    let missing = |wanted: String| DataError::Columns {
        path: path.to_path_buf(),
        wanted,
        found: columns.iter().map(|column| column.name().to_string()).collect(),
    };
    let image = match &request.spec.array {
        Some(name) => named(name).filter(|&at| is_picture(&columns[at])),
        None => columns.iter().position(is_picture),
    };
    let wanted = request.spec.array.clone().unwrap_or("of encoded pictures".to_string());
    let image = columns[image.ok_or_else(|| missing(wanted))?].clone();
    let label = match &request.spec.labels {
        Some(name) => Some(named(name).ok_or_else(|| missing(name.clone()))?),
        None => LABELS.iter().find_map(|name| named(name)),
    };
    let label = label.map(|at| columns[at].clone()).filter(is_whole);
    let count = usize::try_from(metadata.num_rows()).unwrap_or(0);
    let place = Place::file(path);
    if count == 0 {
        return Err(DataError::Damaged { place, what: "it contains no rows" });
    }
    let labels = label.as_ref().map(|column| labels(path, &reader, column)).transpose()?;
    let about = metadata.key_value_metadata().into_iter().flatten();
    let about = about.filter(|pair| pair.key == "huggingface").filter_map(|p| p.value.clone());
    let names = match &label {
        Some(label) => about.filter_map(|text| class_names(&text, label.name())).next(),
        None => None,
    };
    let pixels = Box::new(Shard { path: path.to_path_buf(), image });
    Ok((Part { place, count, labels, conditions: Vec::new(), pixels }, names.unwrap_or_default()))
}

/// Whether a column has encoded pictures: bytes, or a group with such a column.
fn is_picture(column: &TypePtr) -> bool {
    let bytes =
        |column: &Type| column.is_primitive() && column.get_physical_type() == Physical::BYTE_ARRAY;
    match column.is_group() {
        true => column.get_fields().iter().any(|field| field.name() == "bytes" && bytes(field)),
        false => bytes(column) && matches!(column.name(), "image" | "img" | "png" | "jpg"),
    }
}

fn is_whole(column: &TypePtr) -> bool {
    let whole = [Physical::INT32, Physical::INT64];
    column.is_primitive() && whole.contains(&column.get_physical_type())
}

/// A schema with this column only.
fn only(reader: &SerializedFileReader<File>, column: &TypePtr) -> Result<Type, ParquetError> {
    let name = reader.metadata().file_metadata().schema().name();
    Type::group_type_builder(name).with_fields(vec![column.clone()]).build()
}

fn labels(
    path: &Path,
    reader: &SerializedFileReader<File>,
    column: &TypePtr,
) -> Result<Vec<u32>, DataError> {
    let projection = only(reader, column).map_err(wrong(path))?;
    let rows = reader.get_row_iter(Some(projection)).map_err(wrong(path))?;
    rows.map(|row| {
        let row = row.map_err(wrong(path))?;
        let label = match row.get_column_iter().next() {
            Some((_, &Field::Long(n))) => u32::try_from(n).ok(),
            Some((_, &Field::Int(n))) => u32::try_from(n).ok(),
            Some((_, &Field::UByte(n))) => Some(n.into()),
            Some((_, &Field::Byte(n))) => u32::try_from(n).ok(),
            Some((_, &Field::Short(n))) => u32::try_from(n).ok(),
            _ => None,
        };
        let what = || "labels must be numbers from 0; name another column with `,labels=NAME`";
        let place = || Place::member(path, column.name());
        label.ok_or_else(|| DataError::Unsupported { place: place(), what: what().to_string() })
    })
    .collect()
}

/// The names of a label's classes, from Hugging Face's description: `"label": {"names": ["a",
/// "b"]`.
fn class_names(text: &str, label: &str) -> Option<Vec<String>> {
    let (_, rest) = text.split_once(&format!("\"{label}\""))?;
    let (_, rest) = rest.split_once("\"names\"")?;
    let (_, rest) = rest.split_once('[')?;
    let (names, _) = rest.split_once(']')?;
    let names = names.split(',').map(|name| name.trim().trim_matches('"').to_string());
    Some(names.filter(|name| !name.is_empty()).collect())
}

/// The pictures of a file. One row group at a time is in memory.
struct Shard {
    path: PathBuf,
    image: TypePtr,
}

impl Pixels for Shard {
    fn visit(&self, wanted: &[usize], each: &mut Each) -> Result<bool, DataError> {
        guarded(&self.path, || self.rows(wanted, each))
    }

    fn mixes_colours(&self) -> bool {
        true
    }
}

impl Shard {
    fn rows(&self, wanted: &[usize], each: &mut Each) -> Result<bool, DataError> {
        let reader = open(&self.path)?;
        let (mut first, mut left) = (0usize, wanted);
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(wrong(&self.path))?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            let here = left.partition_point(|&index| index < first + rows);
            let (mine, rest) = left.split_at(here);
            if !mine.is_empty() {
                let projection = only(&reader, &self.image).map_err(wrong(&self.path))?;
                let found = group.get_row_iter(Some(projection)).map_err(wrong(&self.path))?;
                let mut mine = mine.iter().map(|index| index - first).peekable();
                for (at, row) in found.enumerate() {
                    if mine.peek() != Some(&at) {
                        continue;
                    }
                    mine.next();
                    let row = row.map_err(wrong(&self.path))?;
                    let place = Place::member(&self.path, &format!("row {}", first + at));
                    let bytes = picture(&row).ok_or_else(|| DataError::Unsupported {
                        place: place.clone(),
                        what: "it has a row without a picture; pictures must be in the file, not \
                               linked"
                            .to_string(),
                    })?;
                    if !each(decode_bytes(place, bytes)?)? {
                        return Ok(false);
                    }
                }
            }
            (first, left) = (first + rows, rest);
        }
        Ok(true)
    }
}

/// The encoded picture in a row.
fn picture(row: &Row) -> Option<&[u8]> {
    match row.get_column_iter().next()?.1 {
        Field::Bytes(bytes) => Some(bytes.data()),
        Field::Group(group) => {
            let bytes = group.get_column_iter().find(|(name, _)| *name == "bytes");
            match bytes?.1 {
                Field::Bytes(bytes) => Some(bytes.data()),
                _ => None,
            }
        }
        _ => None,
    }
}
