//! What was seen of large files, so that a run that is resumed begins without reading them again.
//!
//! Only of files whose images stay where they are, which is where all of them together take more than
//! [`MEMORY`](crate::MEMORY). A note is keyed by the file's path, length and time of change, by where
//! in it the images lie, and by which of them are used; it holds the hash of these images, their
//! highest value, and what is odd about them. A file that is changed without another length or time
//! is not noticed. Notes lie in `pixelrnn/data` in the user's folder for caches; without such a
//! folder, or where it cannot be written, everything is read every time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::bytes::Bytes;
use crate::hex::hex;
use crate::survey::Seen;

/// The first line of a note.
const VERSION: &str = "pixelrnn data 1";

/// No note is longer.
const MOST: u64 = 4096;

/// A file that was changed more lately may be changed again within the same tick of its clock.
const SETTLED: Duration = Duration::from_secs(2);

/// The folder of the notes.
pub struct Notes(PathBuf);

impl Notes {
    /// Those of the user.
    pub fn of_user() -> Option<Notes> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("LOCALAPPDATA"));
        let cache = cache.filter(|path| path.is_absolute());
        let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
        cache.is_absolute().then(|| Notes(cache.join("pixelrnn").join("data")))
    }

    /// The name of the note about some images of a file.
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

    /// What was noted under a name.
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

    /// Notes what was seen. If it cannot be written, it is read again next time.
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
