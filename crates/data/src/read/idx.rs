//! `idx:FILE-or-FOLDER`: the format of MNIST.

use std::path::{Path, PathBuf};

use super::input::Input;
use super::{Part, Raw, extents};
use crate::dataset::Split;
use crate::error::{Absence, DataError, Place};

/// The names of a split's file; each may be gzipped.
type Names = [&'static str; 2];

const TRAIN: Names = ["train-images-idx3-ubyte", "train-images.idx3-ubyte"];
const TEST: Names = ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"];
const WANTED: [&str; 2] = ["`train-images-idx3-ubyte[.gz]`", "`t10k-images-idx3-ubyte[.gz]`"];

/// Reads a file or the two files of a folder.
pub fn read(path: &Path) -> Result<Raw, DataError> {
    let single = |holds| Err(Absence::Single { path: path.to_path_buf(), holds });
    let absent = || Err(Absence::NoTrain);
    let raw = |train, test| Raw {
        levels: Some(256),
        train,
        valid: absent(),
        test,
        tail: None,
        class_names: Vec::new(),
    };
    if !path.is_dir() {
        let part = images(path)?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(match name.starts_with("t10k") || name.starts_with("test") {
            true => raw(single(Split::Test), Ok(part)),
            false => raw(Ok(part), single(Split::Train)),
        });
    }
    let part = |names: Names, wanted| match find(path, names) {
        Some(file) => images(&file).map(Ok),
        None => Ok(Err(Absence::File { folder: path.to_path_buf(), wanted })),
    };
    let (train, test) = (part(TRAIN, WANTED[0])?, part(TEST, WANTED[1])?);
    if train.is_err() && test.is_err() {
        let wanted = "`train-images-idx3-ubyte` or `t10k-images-idx3-ubyte`, gzipped or not";
        return Err(DataError::NoFiles { folder: path.to_path_buf(), wanted });
    }
    Ok(raw(train, test))
}

fn find(folder: &Path, names: Names) -> Option<PathBuf> {
    let files = names.into_iter().flat_map(|name| [name.to_string(), format!("{name}.gz")]);
    files.map(|name| folder.join(name)).find(|path| path.is_file())
}

/// The images of a file, and their labels where the file of labels lies beside it.
fn images(path: &Path) -> Result<Part, DataError> {
    let mut part = images_alone(path)?;
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(part) };
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let name = name.replace("images", "labels").replace("idx3", "idx1");
    let beside = path.with_file_name(&name);
    let files = [beside.clone(), path.with_file_name(format!("{name}.gz"))];
    if let Some(file) = files.into_iter().find(|file| file != path && file.is_file()) {
        part.label(Place::file(&file), labels(&file)?)?;
    }
    Ok(part)
}

/// The labels of a file.
fn labels(path: &Path) -> Result<Vec<u32>, DataError> {
    let mut input = Input::open(path)?;
    let head = input.up_to(4)?;
    if head != [0, 0, 8, 1] {
        let expected = "a file of labels in IDX, the format of MNIST";
        return Err(DataError::Magic { place: input.place().clone(), expected, found: head });
    }
    let count = input.exactly(4)?.iter().fold(0, |all, &b| all << 8 | u64::from(b));
    Ok(input.rest(&[count])?.into_iter().map(u32::from).collect())
}

fn images_alone(path: &Path) -> Result<Part, DataError> {
    let mut input = Input::open(path)?;
    let head = input.up_to(4)?;
    let place = input.place().clone();
    let rank = match *head.as_slice() {
        [0, 0, 8, rank @ (3 | 4)] => rank,
        [0, 0, 8, 1] => {
            let what = "it holds labels; the images are in the file with `images` in its name";
            return Err(DataError::Unsupported { place, what });
        }
        [0, 0, 9 | 11..=14, _] => {
            let what = "its elements are not unsigned bytes";
            return Err(DataError::Unsupported { place, what });
        }
        _ => {
            let expected = "a file of images in IDX, the format of MNIST";
            return Err(DataError::Magic { place, expected, found: head });
        }
    };
    let dims = input.exactly(4 * u64::from(rank))?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |all, &b| all << 8 | u64::from(b));
    let dims: Vec<u64> = dims.chunks_exact(4).map(number).collect();
    let shape = extents(&place, &dims)?;
    Ok(Part { place, shape, pixels: input.rest(&dims)?, labels: None })
}
