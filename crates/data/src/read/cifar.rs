//! `cifar10` and `cifar100`: the binary versions, unpacked in a folder or as the downloaded
//! archive.

use std::sync::Arc;

use super::Request;
use super::arrays::planes_to_pixels;
use super::files::{Entry, Files};
use super::part::{Open, Part, Raw, Records};
use crate::dataset::Split;
use crate::error::{Absence, DataError};
use crate::shape::Shape;

const SHAPE: Shape = Shape { height: 32, width: 32, colours: 3 };
const PIXELS: u64 = 3 * 32 * 32;

/// CIFAR-10 or CIFAR-100.
struct Kind {
    name: &'static str,
    /// The number of label bytes before the pixels of a record; the last one is the class.
    labels: u64,
    classes: u8,
    /// The archive to download, and file names that only the Python version has.
    archive: &'static str,
    python: &'static [&'static str],
    /// The file with the names of the classes, and the known names if that file is missing.
    names: &'static str,
    usual: &'static [&'static str],
    /// The split that a file belongs to, and its position in the split.
    batch: fn(&str) -> Option<(Split, u32)>,
    wanted: [&'static str; 2],
}

const TEN: Kind = Kind {
    name: "CIFAR-10",
    labels: 1,
    classes: 10,
    archive: "cifar-10-binary.tar.gz",
    python: &["data_batch_1", "test_batch"],
    names: "batches.meta.txt",
    usual: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    batch: |name| match name {
        "test_batch.bin" => Some((Split::Test, 0)),
        name => {
            let number = name.strip_prefix("data_batch_")?.strip_suffix(".bin")?;
            Some((Split::Train, number.parse().ok()?))
        }
    },
    wanted: ["`data_batch_1.bin`", "`test_batch.bin`"],
};

const HUNDRED: Kind = Kind {
    name: "CIFAR-100",
    labels: 2,
    classes: 100,
    archive: "cifar-100-binary.tar.gz",
    python: &["train", "test", "meta"],
    names: "fine_label_names.txt",
    usual: &[],
    batch: |name| match name {
        "train.bin" => Some((Split::Train, 0)),
        "test.bin" => Some((Split::Test, 0)),
        _ => None,
    },
    wanted: ["`train.bin`", "`test.bin`"],
};

/// Reads CIFAR-10: `data_batch_*.bin`, in the order of their numbers, and `test_batch.bin`.
pub fn ten(request: &Request) -> Result<Raw, DataError> {
    read(request, &TEN)
}

/// Reads CIFAR-100: `train.bin` and `test.bin`, with the hundred fine classes.
pub fn hundred(request: &Request) -> Result<Raw, DataError> {
    read(request, &HUNDRED)
}

fn read(request: &Request, kind: &'static Kind) -> Result<Raw, DataError> {
    let files = Files::open(request.path, 3)?;
    let folder = request.path.to_path_buf();
    let (mut train, mut test): (Vec<(u32, &Entry)>, Vec<(u32, &Entry)>) = Default::default();
    for entry in files.entries() {
        match (kind.batch)(entry.base()) {
            Some((Split::Test, number)) => test.push((number, entry)),
            Some((_, number)) => train.push((number, entry)),
            None => {}
        }
    }
    if train.is_empty() && test.is_empty() {
        let python = files.find(|base| kind.python.contains(&base)).is_some();
        let (name, archive) = (kind.name, kind.archive);
        return Err(match python {
            true => DataError::PythonVersion { folder, name, archive },
            false => {
                let [first, second] = kind.wanted;
                let wanted = format!(
                    "{first} or {second}, the files of the binary version of {name}: download \
                     {archive}, which is read as it is"
                );
                DataError::NoFiles { folder, wanted }
            }
        });
    }
    let part = |batches: Vec<(u32, &Entry)>, wanted| -> Result<_, DataError> {
        let mut batches = batches;
        batches.sort_by_key(|(number, entry)| (*number, entry.folders().len()));
        batches.dedup_by_key(|(number, _)| *number);
        let parts = batches.into_iter().map(|(_, entry)| records(entry, kind));
        let parts = parts.collect::<Result<Vec<Part>, DataError>>()?;
        Ok(Part::chain(parts).ok_or(Absence::File { folder: folder.clone(), wanted }))
    };
    let [first, second] = kind.wanted;
    let (train, test) = (part(train, first)?, part(test, second)?);
    let class_names = names(&files, kind)?;
    let valid = Err(Absence::NoTrain);
    Ok(Raw { levels: Some(256), train, valid, test, class_names, warnings: Vec::new() })
}

/// The names of the classes, from their file if it exists and names them all; otherwise the known
/// names, or numbers.
fn names(files: &Files, kind: &Kind) -> Result<Vec<String>, DataError> {
    let usual = |class: usize| kind.usual.get(class).map_or(class.to_string(), |n| n.to_string());
    let numbers = || (0..usize::from(kind.classes)).map(usual).collect();
    let Some(entry) = files.find(|base| base == kind.names) else { return Ok(numbers()) };
    let text = entry.bytes(1 << 16)?;
    let text = String::from_utf8_lossy(&text);
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect();
    Ok(if names.len() == usize::from(kind.classes) { names } else { numbers() })
}

/// The records of a file. It is read once in full for the labels.
fn records(entry: &Entry, kind: &'static Kind) -> Result<Part, DataError> {
    let (place, stride) = (entry.place(), kind.labels + PIXELS);
    let damaged = |what| DataError::Damaged { place: place.clone(), what };
    let mut input = entry.open(false)?;
    let mut labels = Vec::new();
    loop {
        let head = input.up_to(kind.labels)?;
        let Some(&label) = head.last() else { break };
        if label >= kind.classes {
            return Err(damaged(match kind.classes {
                10 => "it has a label above 9: CIFAR-10 has ten classes",
                _ => "it has a label above 99: CIFAR-100 has a hundred classes",
            }));
        }
        let before = input.room();
        input.skip(PIXELS)?;
        let exact = before.checked_sub(input.room()) == Some(PIXELS);
        if head.len() as u64 != kind.labels || !exact {
            return Err(damaged(match kind.labels {
                1 => "its length is not a multiple of 3,073 bytes, one record of CIFAR-10",
                _ => "its length is not a multiple of 3,074 bytes, one record of CIFAR-100",
            }));
        }
        labels.push(u32::from(label));
    }
    if labels.is_empty() {
        return Err(damaged("it contains no record"));
    }
    let way = |checked| -> Open {
        let entry = entry.clone();
        Arc::new(move || entry.open(checked))
    };
    let skipped = kind.labels as usize;
    let records = Records {
        open: way(true),
        skim: way(false),
        head: 0,
        stride,
        count: labels.len(),
        shape: SHAPE,
        decode: Some(Box::new(move |record| Ok(planes_to_pixels(&record[skipped..], SHAPE)))),
    };
    let count = labels.len();
    Ok(Part {
        place,
        count,
        labels: Some(labels),
        conditions: Vec::new(),
        pixels: Box::new(records),
    })
}
