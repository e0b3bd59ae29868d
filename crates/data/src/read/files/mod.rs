//! Files by name in a folder, a zip archive, or a tar archive, which may be gzipped.

mod tar;
mod zip;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use zip::Archive;

use super::arrays::SPLITS;
use super::input::{Input, open_file};
use crate::bytes::{Bytes, Spool};
use crate::dataset::Split;
use crate::error::{DataError, Place};

/// Maximal depth of nested folders. Deeper nesting is probably a loop of links.
pub const MAX_DEPTH: usize = 32;

/// A gzipped tar archive has no directory, so it is decompressed as a whole: up to `TAR_ROOM` bytes
/// into memory, the rest into a temporary file. More than `TAR_MOST` bytes are an error.
const TAR_ROOM: u64 = 1 << 26;
const TAR_MOST: u64 = 1 << 32;

/// The files of a folder or an archive.
pub struct Files {
    root: PathBuf,
    entries: Vec<Entry>,
}

/// A file in a folder or an archive.
#[derive(Clone)]
pub struct Entry {
    /// The path relative to the root, with `/`.
    pub name: String,
    from: Source,
}

#[derive(Clone)]
enum Source {
    Path(PathBuf),
    Zip(Arc<Archive>, usize),
    Tar { archive: PathBuf, bytes: Arc<Bytes>, start: u64, length: u64 },
}

impl Files {
    /// The files of a folder or an archive.
    ///
    /// # Errors
    /// If the path is neither, or cannot be read.
    pub fn open(path: &Path, depth: usize) -> Result<Files, DataError> {
        if path.is_dir() {
            return Files::folder(path, depth);
        }
        match Files::archive(path)? {
            Some(files) => Ok(files),
            None => {
                let found = Input::open(path)?.up_to(16)?;
                let expected = "a folder, or a .zip, .tar or .tar.gz of one";
                Err(DataError::Magic { place: Place::file(path), expected, found })
            }
        }
    }

    /// The files of a folder and of its subfolders down to `depth`, sorted by name. Files that
    /// operating systems and editors create are left out.
    ///
    /// # Errors
    /// If a folder cannot be read, or, with a `depth` of [`MAX_DEPTH`], the nesting is deeper.
    pub fn folder(root: &Path, depth: usize) -> Result<Files, DataError> {
        let mut files = Files { root: root.to_path_buf(), entries: Vec::new() };
        files.walk(root, "", depth)?;
        Ok(files)
    }

    fn walk(&mut self, folder: &Path, before: &str, depth: usize) -> Result<(), DataError> {
        let wrong = |error| DataError::Io { place: Place::file(folder), error };
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
        found.sort();
        for (name, path) in found {
            if is_hidden(&name) {
                continue;
            }
            let name = format!("{before}{name}");
            if path.is_dir() {
                let deep = name.matches('/').count() + 1;
                if deep >= MAX_DEPTH {
                    let what =
                        "folders lie more than 32 deep in each other; is it a loop of links?";
                    let place = Place::file(&path);
                    return Err(DataError::Unsupported { place, what: what.to_string() });
                }
                if deep < depth {
                    self.walk(&path, &format!("{name}/"), depth)?;
                }
            } else {
                self.entries.push(Entry { name, from: Source::Path(path) });
            }
        }
        Ok(())
    }

    /// The files of an archive; `None` if the file is not an archive.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is too large.
    pub fn archive(path: &Path) -> Result<Option<Files>, DataError> {
        let (_, _) = open_file(path)?;
        let mut input = Input::open(path)?;
        let head = input.up_to(512)?;
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Files::zip(path).map(Some);
        }
        if !tar::is_header(&head) {
            return Ok(None);
        }
        let bytes = match Input::open(path)?.direct() {
            Some(bytes) => bytes,
            None => inflate(path)?,
        };
        let bytes = Arc::new(bytes);
        let members = tar::members(&Place::file(path), &bytes)?;
        let member = |tar::Member { name, start, length }| {
            let (archive, bytes) = (path.to_path_buf(), bytes.clone());
            Entry { name, from: Source::Tar { archive, bytes, start, length } }
        };
        Ok(Some(Files::of(path, members.into_iter().map(member).collect())))
    }

    fn zip(path: &Path) -> Result<Files, DataError> {
        let archive = Arc::new(Archive::open(path, "a zip archive")?);
        let files = archive.members.iter().enumerate().filter(|(_, m)| !m.name.ends_with('/'));
        let entry = |(at, member): (usize, &zip::Member)| Entry {
            name: member.name.clone(),
            from: Source::Zip(archive.clone(), at),
        };
        Ok(Files::of(path, files.map(entry).collect()))
    }

    fn of(root: &Path, mut entries: Vec<Entry>) -> Files {
        entries.retain(|entry| !entry.name.split('/').any(is_hidden));
        entries.iter_mut().for_each(|e| e.name = e.name.trim_start_matches("./").to_string());
        entries.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
        Files { root: root.to_path_buf(), entries }
    }

    /// The folder or archive.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All files.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file with a matching name that is nested least deeply.
    pub fn find(&self, fits: impl Fn(&str) -> bool) -> Option<&Entry> {
        let found = self.entries.iter().filter(|entry| fits(entry.base()));
        found.min_by_key(|entry| entry.name.matches('/').count())
    }
}

impl Entry {
    /// The file name without folders.
    pub fn base(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// The folders that contain the file, outermost first.
    pub fn folders(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = self.name.split('/').collect();
        parts.pop();
        parts
    }

    /// The path, if it is a file of its own and not in an archive.
    pub fn path(&self) -> Option<&Path> {
        match &self.from {
            Source::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The name of the file in errors.
    pub fn place(&self) -> Place {
        match &self.from {
            Source::Path(path) => Place::file(path),
            Source::Zip(archive, _) => Place::member(&archive.path, &self.name),
            Source::Tar { archive, .. } => Place::member(archive, &self.name),
        }
    }

    /// Opens the file; if it is gzipped, decompresses it. With `checked`, checksums are verified
    /// where there are any.
    ///
    /// # Errors
    /// If it cannot be read, or is not a regular file.
    pub fn open(&self, checked: bool) -> Result<Input, DataError> {
        match &self.from {
            Source::Path(path) => Input::open(path),
            Source::Zip(archive, at) => Ok(archive.input(*at, &self.name, checked)?.gunzip()),
            Source::Tar { bytes, start, length, .. } => {
                Ok(Input::within(self.place(), bytes.clone(), *start, *length))
            }
        }
    }

    /// The content of the file, without decompressing a gzipped one.
    ///
    /// # Errors
    /// If it cannot be read, or is longer than `most` bytes.
    pub fn bytes(&self, most: u64) -> Result<Vec<u8>, DataError> {
        let place = self.place();
        let mut input = match &self.from {
            Source::Path(path) => {
                let (file, length) = open_file(path)?;
                Input::plain(place.clone(), Box::new(file), length)
            }
            _ => self.open(true)?,
        };
        let bytes = input.up_to(most)?;
        match input.up_to(1)?.is_empty() {
            true => Ok(bytes),
            false => {
                Err(DataError::Oversized { place, declared: u128::from(most) + 1, room: most })
            }
        }
    }
}

/// Whether this is the name of a file or folder that operating systems or editors create.
fn is_hidden(name: &str) -> bool {
    const LEFT: [&str; 7] = [
        "__macosx",
        "__pycache__",
        "thumbs.db",
        "desktop.ini",
        "@eadir",
        "$recycle.bin",
        "lost+found",
    ];
    name.starts_with('.') && name != "." || LEFT.contains(&name.to_lowercase().as_str())
}

/// The split in a name such as `Train`, `val_data` or `binarized_mnist_test`.
pub fn split_of(name: &str) -> Option<Split> {
    let name = name.to_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.find_map(|word| {
        SPLITS.iter().find(|(_, words)| words.contains(&word)).map(|(split, _)| *split)
    })
}

fn inflate(path: &Path) -> Result<Bytes, DataError> {
    let mut input = Input::open(path)?;
    let place = Place::file(path);
    let (mut spool, mut length) = (Spool::new(TAR_ROOM), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let n = input.read(&mut piece).map_err(|error| input.wrong(error))?;
        length += n as u64;
        if length > TAR_MOST {
            let what = "it decompresses to more than 4 GiB: unpack it, and name the folder";
            return Err(DataError::Unsupported { place, what: what.to_string() });
        }
        let io = |error| DataError::Io { place: place.clone(), error };
        if n == 0 {
            return spool.finish().map_err(io);
        }
        spool.push(&piece[..n]).map_err(io)?;
    }
}
