//! `idx:FILE-or-FOLDER`: the format of MNIST and similar data sets.

use std::path::Path;
use std::sync::Arc;

use super::arrays::layout;
use super::files::{Entry, Files};
use super::input::Input;
use super::part::{Decode, Open, Part, Raw, Records};
use super::{Request, arrays::Layout};
use crate::dataset::Split;
use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;

/// Maximal depth of subfolders: torchvision puts MNIST into `MNIST/raw` below its root.
const DEPTH: usize = 4;

/// The end of the name of a split's images, without `.gz`. What precedes it is the name of the set.
const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-images.idx3-ubyte"];
const TEST: [&str; 4] = [
    "t10k-images-idx3-ubyte",
    "t10k-images.idx3-ubyte",
    "test-images-idx3-ubyte",
    "test-images.idx3-ubyte",
];

/// Reads a file, or the files of a folder or an archive.
pub fn read(request: &Request) -> Result<Raw, DataError> {
    let path = request.path;
    if path.is_dir() {
        return set(request, &Files::folder(path, DEPTH)?);
    }
    match Files::archive(path)? {
        Some(files) => set(request, &files),
        None => single(path),
    }
}

fn single(path: &Path) -> Result<Raw, DataError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let files = Files::folder(folder.unwrap_or(Path::new(".")), 1)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let absent = |holds| Err(Absence::Single { path: path.to_path_buf(), holds });
    let Some(entry) = files.find(|base| base == name) else {
        // The file is hidden, or does not exist.
        Input::open(path)?;
        let what = "its name begins with a dot: rename it".to_string();
        return Err(DataError::Unsupported { place: Place::file(path), what });
    };
    let mut warnings = Vec::new();
    let part = images(&files, entry, &mut warnings)?;
    let test = ["t10k", "test"].iter().any(|word| name.starts_with(word))
        || TEST.iter().any(|ending| plain(&name).ends_with(ending));
    let (train, test) = match test {
        true => (absent(Split::Test), Ok(part)),
        false => (Ok(part), absent(Split::Train)),
    };
    let valid = Err(Absence::NoTrain);
    Ok(Raw { levels: Some(256), train, valid, test, class_names: Vec::new(), warnings })
}

/// The two splits of one set: the one that the option `array` names, else the only one, else the
/// one without a name.
fn set(request: &Request, files: &Files) -> Result<Raw, DataError> {
    let folder = files.root().to_path_buf();
    let mut sets: Vec<&str> = Vec::new();
    for entry in files.entries() {
        let endings = TRAIN.iter().chain(&TEST);
        let set = endings.filter_map(|ending| plain(entry.base()).strip_suffix(ending)).next();
        sets.extend(set.filter(|set| !sets.contains(set)));
    }
    let wanted = request.spec.array.as_deref();
    let chosen = match (wanted, &sets[..]) {
        (_, []) => {
            let wanted = "`train-images-idx3-ubyte` or `t10k-images-idx3-ubyte`, gzipped or not, \
                          also not in the folders below it"
                .to_string();
            return Err(DataError::NoFiles { folder, wanted });
        }
        (Some(wanted), sets) => sets.iter().find(|set| {
            set.trim_end_matches('-') == wanted || set.split('-').any(|word| word == wanted)
        }),
        (None, [only]) => Some(only),
        (None, sets) => sets.iter().find(|set| set.is_empty()),
    };
    let Some(chosen) = chosen else {
        let found = sets.iter().map(|set| set.trim_end_matches('-').to_string()).collect();
        return Err(DataError::Sets { folder, found });
    };
    let mut warnings = Vec::new();
    let mut part = |endings: &[&str], wanted| {
        let name = |ending: &&str| format!("{chosen}{ending}");
        let names: Vec<String> = endings.iter().map(name).collect();
        match files.find(|base| names.iter().any(|name| name == plain(base))) {
            Some(entry) => images(files, entry, &mut warnings).map(Ok),
            None => Ok(Err(Absence::File { folder: folder.clone(), wanted })),
        }
    };
    let train = part(&TRAIN, "`train-images-idx3-ubyte[.gz]`")?;
    let test = part(&TEST, "`t10k-images-idx3-ubyte[.gz]`")?;
    let valid = Err(Absence::NoTrain);
    Ok(Raw { levels: Some(256), train, valid, test, class_names: Vec::new(), warnings })
}

fn plain(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// The images of a file, and their labels if there is a file with them.
fn images(files: &Files, entry: &Entry, warnings: &mut Vec<String>) -> Result<Part, DataError> {
    // EMNIST stores rows as columns, and its letters count from 1.
    let emnist = entry.base().starts_with("emnist-");
    let mut part = records(entry, emnist)?;
    if emnist && warnings.is_empty() {
        warnings.push("EMNIST stores rows as columns: its images are turned upright".to_string());
    }
    let labels = plain(entry.base()).replace("images", "labels").replace("idx3", "idx1");
    let near = files
        .entries()
        .iter()
        .filter(|other| plain(other.base()) == labels && other.name != entry.name);
    // Prefer the labels in the same folder. Kaggle's archive has a folder for each file.
    let beside = near.min_by_key(|other| other.folders() != entry.folders());
    if let Some(beside) = beside {
        let mut labels = labels_of(beside)?;
        if entry.base().contains("letters") && !labels.contains(&0) {
            labels.iter_mut().for_each(|label| *label -= 1);
        }
        part.label(beside.place(), labels)?;
    }
    Ok(part)
}

fn labels_of(entry: &Entry) -> Result<Vec<u32>, DataError> {
    let mut input = entry.open(true)?;
    let head = input.up_to(4)?;
    if head != [0, 0, 8, 1] {
        let expected = "a file of labels in IDX, the format of MNIST";
        return Err(DataError::Magic { place: input.place().clone(), expected, found: head });
    }
    let count = input.exactly(4)?.iter().fold(0, |all, &b| all << 8 | u64::from(b));
    Ok(input.rest(&[count])?.into_iter().map(u32::from).collect())
}

fn records(entry: &Entry, transposed: bool) -> Result<Part, DataError> {
    let mut input = entry.open(false)?;
    let head = input.up_to(16)?;
    let place = input.place().clone();
    let unsupported =
        |what: &str| Err(DataError::Unsupported { place: place.clone(), what: what.to_string() });
    let rank = match *head.as_slice() {
        [0, 0, 8, rank @ (3 | 4), ..] => u64::from(rank),
        [0, 0, 8, 1, ..] => {
            return unsupported(
                "it holds labels; the images are in the file with `images` in its name",
            );
        }
        [0, 0, 9 | 11..=14, _, ..] => {
            return unsupported("its elements are not unsigned bytes: write them as type 08");
        }
        _ => {
            let expected = "a file of images in IDX, the format of MNIST";
            return Err(DataError::Magic { place, expected, found: head });
        }
    };
    let mut input = entry.open(false)?;
    input.skip(4)?;
    let dims = input.exactly(4 * rank)?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |all, &b| all << 8 | u64::from(b));
    let dims: Vec<u64> = dims.chunks_exact(4).map(number).collect();
    let Layout { count, shape, .. } = layout(&place, &dims)?;
    input.declare(&dims)?;
    let turned = Shape { height: shape.width, width: shape.height, ..shape };
    let decode: Option<Decode> = match transposed {
        true => Some(Box::new(move |bytes| Ok(transpose(bytes, shape)))),
        false => None,
    };
    let way = |checked| -> Open {
        let entry = entry.clone();
        Arc::new(move || entry.open(checked))
    };
    let records = Records {
        open: way(true),
        skim: way(false),
        head: 4 + 4 * rank,
        stride: shape.values() as u64,
        count,
        shape: if transposed { turned } else { shape },
        decode,
    };
    Ok(Part { place, count, labels: None, conditions: Vec::new(), pixels: Box::new(records) })
}

/// Exchanges rows and columns.
fn transpose(pixels: &[u8], shape: Shape) -> Vec<u8> {
    let colours = shape.colours;
    let places = (0..shape.width).flat_map(|x| (0..shape.height).map(move |y| y * shape.width + x));
    places.flat_map(|at| pixels[at * colours..(at + 1) * colours].iter().copied()).collect()
}
