//! A cache of the statistics of large files, so that a resumed run starts without reading them
//! again.
//!
//! It is used only for files whose images stay in the file, which is the case if all images
//! together take more than [`MEMORY`](crate::MEMORY). The key consists of the file's path, length
//! and modification time, the range of bytes with the images, and the indices of the images that
//! are used. An entry has the hash of these images, their highest value, and a warning if they are
//! suspicious. A change that keeps both length and modification time is not noticed. Entries are in
//! `pixelrnn/data` in the user's cache folder. If there is no such folder, or it is not writable,
//! everything is read every time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::bytes::Bytes;
use crate::hex::hex;
use crate::survey::Seen;

/// The first line of an entry.
const VERSION: &str = "pixelrnn data 1";

/// The maximal length of an entry in bytes.
const MOST: u64 = 4096;

/// A file changed more recently might be changed again within the resolution of its modification
/// time, so it is not cached.
const SETTLED: Duration = Duration::from_secs(2);

/// The folder of the cache.
pub struct Notes(PathBuf);

impl Notes {
    /// The cache of the current user; `None` if there is no folder for it.
    pub fn of_user() -> Option<Notes> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("LOCALAPPDATA"));
        let cache = cache.filter(|path| path.is_absolute());
        let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
        cache.is_absolute().then(|| Notes(cache.join("pixelrnn").join("data")))
    }

    /// The key for some images of a file; `None` if they cannot be cached.
    pub fn key(
        &self,
        path: &Path,
        bytes: &Bytes,
        wanted: &[usize],
        levels: Option<usize>,
    ) -> Option<String> {
        let Bytes::File { start, length, .. } = bytes else { return None };
        let file = fs::metadata(path).ok()?;
        let changed = file.modified().ok()?;
        if SystemTime::now().duration_since(changed).ok()? < SETTLED {
            return None;
        }
        let changed = changed.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        let mut hash = Sha256::new();
        hash.update(VERSION);
        hash.update(fs::canonicalize(path).ok()?.as_os_str().as_encoded_bytes());
        hash.update(changed.to_le_bytes());
        for number in [file.len(), *start, *length, levels.unwrap_or(0) as u64] {
            hash.update(number.to_le_bytes());
        }
        wanted.iter().for_each(|&index| hash.update((index as u64).to_le_bytes()));
        Some(hex(&hash.finalize()))
    }

    /// The entry with this key, if it exists and is valid.
    pub fn get(&self, key: &str) -> Option<Seen> {
        let path = self.0.join(key);
        if fs::metadata(&path).ok().filter(|file| file.is_file())?.len() > MOST {
            return None;
        }
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        if lines.next()? != VERSION {
            return None;
        }
        let digits = lines.next().filter(|line| line.len() == 64 && line.is_ascii())?;
        let mut hash = [0; 32];
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        }
        let highest = lines.next()?.parse::<u8>().ok()?;
        let oddity = lines.next().filter(|line| !line.is_empty()).map(str::to_string);
        Some(Seen { hash, highest: usize::from(highest), oddity })
    }

    /// Writes an entry. Errors are ignored: the file is read again next time.
    pub fn put(&self, key: &str, seen: &Seen) {
        let oddity = seen.oddity.as_deref().unwrap_or_default();
        let text = format!("{VERSION}\n{}\n{}\n{oddity}\n", hex(&seen.hash), seen.highest);
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.0)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            file.write_all(text.as_bytes())?;
            file.persist(self.0.join(key))?;
            Ok(())
        };
        let _ = write();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_found_again_and_damaged_ones_are_none() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let notes = Notes(folder.path().join("notes"));
        let seen = Seen { hash: [7; 32], highest: 200, oddity: Some("are odd".to_string()) };
        assert!(notes.get("a").is_none());
        notes.put("a", &seen);
        assert!(notes.get("a").is_some_and(|found| found == seen));
        let good = fs::read(notes.0.join("a"))?;
        for (at, _) in good.iter().enumerate().take(70) {
            fs::write(notes.0.join("a"), [&good[..at], b"\xff", &good[at + 1..]].concat())?;
            assert!(notes.get("a").is_none(), "{at}");
        }
        Ok(())
    }

    #[test]
    fn another_file_or_choice_has_another_name() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let notes = Notes(folder.path().to_path_buf());
        let path = folder.path().join("data");
        let key = |length: u64, wanted: &[usize]| -> std::io::Result<Option<String>> {
            fs::write(&path, vec![0; length as usize])?;
            let file = fs::File::options().write(true).open(&path)?;
            file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000))?;
            let file = std::sync::Mutex::new(fs::File::open(&path)?);
            Ok(notes.key(&path, &Bytes::File { file, start: 0, length }, wanted, None))
        };
        let first = key(10, &[0, 1])?;
        assert!(first.is_some() && first == key(10, &[0, 1])?);
        assert!(first != key(11, &[0, 1])? && first != key(10, &[0, 2])?);
        fs::write(&path, [0; 10])?;
        let file = std::sync::Mutex::new(fs::File::open(&path)?);
        let fresh = notes.key(&path, &Bytes::File { file, start: 0, length: 10 }, &[0], None);
        assert_eq!(fresh, None, "changed just now");
        Ok(())
    }
}
