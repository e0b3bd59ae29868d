//! `idx:FILE-or-FOLDER`: the format of MNIST.

use std::path::{Path, PathBuf};

use super::input::Input;
use super::{Part, Raw, extents};
use crate::dataset::Split;
use crate::error::{Absence, DataError};

/// The names of a split's file; each may be gzipped.
type Names = [&'static str; 2];

const TRAIN: Names = ["train-images-idx3-ubyte", "train-images.idx3-ubyte"];
const TEST: Names = ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"];
const WANTED: [&str; 2] = ["`train-images-idx3-ubyte[.gz]`", "`t10k-images-idx3-ubyte[.gz]`"];

/// Reads a file or the two files of a folder.
pub fn read(path: &Path) -> Result<Raw, DataError> {
    let single = |holds| Err(Absence::Single { path: path.to_path_buf(), holds });
    let absent = || Err(Absence::NoTrain);
    let raw = |train, test| Raw { levels: Some(256), train, valid: absent(), test, tail: None };
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

fn images(path: &Path) -> Result<Part, DataError> {
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
    Ok(Part { place, shape, pixels: input.rest(&dims)? })
}
