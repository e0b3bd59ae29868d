//! `images:FOLDER-or-ARCHIVE`: pictures in a folder and its subfolders, sorted by path.

mod jpeg;
mod other;
mod png;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::Request;
use super::arrays::SPLITS;
use super::files::{Entry, Files, MAX_DEPTH};
use super::part::{Each, Part, Picture, Pixels, Raw};
use crate::count::grouped;
use crate::dataset::Split;
use crate::error::{Absence, DataError, Place};

/// The maximal number of pixels per byte in any supported format. Deflate decompresses one byte to
/// at most 1,032, each with at most eight pixels; JPEG needs one bit for 64 pixels.
const PIXELS_PER_BYTE: u64 = 8 * 1032;

/// The maximal number of pixels of a picture.
const MAX_PIXELS: u64 = 1 << 28;

/// The maximal size of a picture's file, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// The number of pictures that each thread decodes at a time.
const PIECE: usize = 4;

const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif", "jpe"];

const WANTED: &str = "pictures (.png, .jpg, .webp, .bmp, .tif, .gif)";

/// Reads the pictures of a folder or an archive.
pub fn read(request: &Request) -> Result<Raw, DataError> {
    let files = Files::open(request.path, MAX_DEPTH)?;
    let (pictures, mut warnings) = pictures(&files);
    let folder = files.root().to_path_buf();
    let skip = wrapping_folders(&pictures);
    let mut splits: [Vec<Entry>; 3] = Default::default();
    let split = |entry: &Entry| entry.folders().get(skip).and_then(|name| split_folder(name));
    let divided = pictures.iter().any(|entry| split(entry).is_some());
    let mut outside = 0;
    for entry in pictures {
        match (divided, split(&entry)) {
            (true, Some(split)) => splits[split as usize].push(entry),
            (true, None) => outside += 1,
            (false, _) => splits[0].push(entry),
        }
    }
    if outside > 0 {
        warnings.push(format!(
            "{} pictures outside of the folders of splits are not used",
            grouped(outside)
        ));
    }
    if splits.iter().all(Vec::is_empty) {
        let skipped = warnings.first().map(|skipped| format!("; {skipped}"));
        let wanted = format!("{WANTED}{}", skipped.unwrap_or_default());
        return Err(DataError::NoFiles { folder, wanted });
    }
    let depth = skip + usize::from(divided);
    let class_names = class_names(&splits, depth);
    let mut part = |entries: Vec<Entry>, split: Split, wanted: &'static str| {
        let Some(first) = entries.first() else {
            return Err(Absence::File { folder: folder.clone(), wanted });
        };
        let (place, count) = (first.place(), entries.len());
        let labels = labels(&entries, &class_names, depth);
        if labels.is_none() && !class_names.is_empty() {
            warnings.push(format!(
                "the {} pictures have no labels: they do not lie in the folders of the {} classes",
                split.name(),
                class_names.len()
            ));
        }
        Ok(Part {
            place,
            count,
            labels,
            conditions: Vec::new(),
            pixels: Box::new(Pictures(entries)),
        })
    };
    let [train, valid, test] = splits;
    let train = part(train, Split::Train, "the folder `train`");
    let valid = part(valid, Split::Valid, "the folder `valid`");
    let test = part(test, Split::Test, "the folder `test`");
    Ok(Raw { levels: Some(256), train, valid, test, class_names, warnings })
}

/// The pictures among the files, and a warning about other files.
fn pictures(files: &Files) -> (Vec<Entry>, Vec<String>) {
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    let mut pictures = Vec::new();
    for entry in files.entries() {
        let ending = entry.base().rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
        let known = ending.as_deref().is_some_and(|ending| ENDINGS.contains(&ending));
        if known && entry.path().is_none_or(|path| path.is_file()) {
            pictures.push(entry.clone());
        } else {
            let kind = ending.map_or("no ending".to_string(), |ending| format!(".{ending}"));
            *skipped.entry(kind).or_default() += 1;
        }
    }
    let count: usize = skipped.values().sum();
    let kinds: Vec<String> =
        skipped.iter().take(6).map(|(kind, n)| format!("{n} {kind}")).collect();
    let warning = format!(
        "{} skipped because {} not pictures that are read here: {}",
        if count == 1 { "1 file is".to_string() } else { format!("{} files are", grouped(count)) },
        if count == 1 { "it is" } else { "they are" },
        kinds.join(", ")
    );
    (pictures, if count > 0 { vec![warning] } else { Vec::new() })
}

/// The number of outer folders that contain all pictures and are not named after a split.
fn wrapping_folders(pictures: &[Entry]) -> usize {
    let mut skip = 0;
    let Some(first) = pictures.first().map(Entry::folders) else { return skip };
    while let Some(name) = first.get(skip) {
        let all = pictures.iter().all(|entry| entry.folders().get(skip) == Some(name));
        if !all || split_folder(name).is_some() {
            break;
        }
        skip += 1;
    }
    skip
}

/// The split that a folder is named after, ignoring case.
fn split_folder(name: &str) -> Option<Split> {
    let name = name.to_lowercase();
    let found = SPLITS.iter().find(|(_, words)| words.contains(&name.as_str()));
    found.map(|(split, _)| *split)
}

/// The names of the classes: the folders that contain the pictures of the first existing split, if
/// all of its pictures are in such folders and there are at least two.
fn class_names(splits: &[Vec<Entry>; 3], depth: usize) -> Vec<String> {
    let mut names = BTreeSet::new();
    for entry in splits.iter().find(|entries| !entries.is_empty()).into_iter().flatten() {
        match entry.folders().get(depth) {
            Some(name) => names.insert(name.to_string()),
            None => return Vec::new(),
        };
    }
    if names.len() < 2 { Vec::new() } else { names.into_iter().collect() }
}

/// The class of each picture; `None` unless all of them are in folders of known classes.
fn labels(entries: &[Entry], class_names: &[String], depth: usize) -> Option<Vec<u32>> {
    let label = |entry: &Entry| {
        let folders = entry.folders();
        let class = folders.get(depth)?;
        let found = class_names.binary_search_by(|name| name.as_str().cmp(class));
        found.ok().and_then(|class| u32::try_from(class).ok())
    };
    entries.iter().map(label).collect()
}

/// Pictures that are decoded on demand.
struct Pictures(Vec<Entry>);

impl Pixels for Pictures {
    fn visit(&self, wanted: &[usize], each: &mut Each) -> Result<bool, DataError> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let wanted: Vec<&Entry> = wanted.iter().filter_map(|&index| self.0.get(index)).collect();
        for group in wanted.chunks(threads * PIECE) {
            let decode = |piece: &[&Entry]| -> Vec<Result<Picture, DataError>> {
                piece.iter().map(|entry| decode(entry)).collect()
            };
            let pieces = group.chunks(group.len().div_ceil(threads).max(1));
            let decoded: Vec<Vec<Result<Picture, DataError>>> = thread::scope(|scope| {
                let work: Vec<_> = pieces.map(|piece| scope.spawn(move || decode(piece))).collect();
                work.into_iter().map(|work| work.join().unwrap_or_default()).collect()
            });
            let (mut found, expected) = (0, group.len());
            for picture in decoded.into_iter().flatten() {
                found += 1;
                if !each(picture?)? {
                    return Ok(false);
                }
            }
            if found < expected {
                let place = group[0].place();
                let what = "its decoder failed, or that of one of the pictures after it";
                return Err(DataError::Damaged { place, what });
            }
        }
        Ok(true)
    }

    fn mixes_colours(&self) -> bool {
        true
    }
}

/// Decodes a file. Its first bytes, not its name, determine the format.
fn decode(entry: &Entry) -> Result<Picture, DataError> {
    decode_bytes(entry.place(), &entry.bytes(MAX_BYTES)?)
}

/// Decodes a picture.
pub fn decode_bytes(place: Place, bytes: &[u8]) -> Result<Picture, DataError> {
    match bytes {
        b if b.starts_with(b"\x89PNG") => png::decode(place, bytes),
        b if b.starts_with(b"\xff\xd8") => jpeg::decode(place, bytes),
        b => match other::format(b) {
            Some(format) => other::decode(place, bytes, format),
            None => {
                let found = b.iter().take(16).copied().collect();
                let expected = "a PNG, JPEG, WebP, BMP, TIFF or GIF picture";
                Err(DataError::Magic { place, expected, found })
            }
        },
    }
}

/// Rejects a size that a file of this length cannot contain, before memory is allocated.
fn plausible(place: &Place, size: (u64, u64), length: usize) -> Result<(), DataError> {
    let pixels = size.0.saturating_mul(size.1);
    let room = (length as u64).saturating_mul(PIXELS_PER_BYTE).min(MAX_PIXELS);
    match pixels > room {
        true => {
            let (place, declared) = (place.clone(), u128::from(pixels));
            Err(DataError::Oversized { place, declared, room })
        }
        false => Ok(()),
    }
}

/// Removes the alpha channel. It is an error if a pixel is not opaque.
fn opaque(place: &Place, pixels: &[u8], colours: usize) -> Result<Vec<u8>, DataError> {
    let mut kept = Vec::with_capacity(pixels.len());
    for pixel in pixels.chunks_exact(colours + 1) {
        if pixel[colours] != u8::MAX {
            let what = "it has transparent pixels; put it on a background first";
            return Err(DataError::Unsupported { place: place.clone(), what: what.to_string() });
        }
        kept.extend_from_slice(&pixel[..colours]);
    }
    Ok(kept)
}
