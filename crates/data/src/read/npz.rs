//! `npz:FILE`: the arrays `train`, `valid` and `test`, or some of them.

use std::path::Path;

use super::zip::{Archive, Member};
use super::{Part, Raw, npy};
use crate::error::{Absence, DataError, Place};

/// Reads an archive.
pub fn read(path: &Path) -> Result<Raw, DataError> {
    let archive = Archive::open(path)?;
    let key = |member: &Member| member.name.strip_suffix(".npy").map(str::to_string);
    let find = |name: &str| archive.members.iter().find(|m| key(m).as_deref() == Some(name));
    let part = |name: &'static str| -> Result<Result<Part, Absence>, DataError> {
        Ok(match find(name) {
            Some(member) => {
                let mut part = npy::images(archive.input(member, name)?)?;
                let key = format!("{name}_labels");
                if let Some(member) = find(&key) {
                    let place = Place { path: path.to_path_buf(), member: Some(key.clone()) };
                    part.label(place, npy::labels(archive.input(member, &key)?)?)?;
                }
                Ok(part)
            }
            None => Err(Absence::Key { path: path.to_path_buf(), key: name }),
        })
    };
    let (train, valid, test) = (part("train")?, part("valid")?, part("test")?);
    if train.is_err() && valid.is_err() && test.is_err() {
        let found = archive.members.iter().filter_map(key).collect();
        return Err(DataError::NoKeys { path: path.to_path_buf(), found });
    }
    let levels = match find("levels") {
        None => None,
        Some(member) => match npy::number(archive.input(member, "levels")?)? {
            Some(n @ 2..=256) => Some(n as usize),
            _ => {
                let place = Place { path: path.to_path_buf(), member: Some("levels".to_string()) };
                let what = "the number of levels must be one whole number from 2 to 256";
                return Err(DataError::Unsupported { place, what });
            }
        },
    };
    Ok(Raw { levels, train, valid, test, tail: None, class_names: Vec::new() })
}
