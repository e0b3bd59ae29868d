//! `npz:FILE-or-FOLDER`: arrays by name, or a folder of batches, like downsampled ImageNet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keys::{Role, role, split_of_condition};
use super::npy::NpyArray;
use crate::dataset::Split;
use crate::error::{Absence, DataError, Place};
use crate::read::Request;
use crate::read::files::{Archive, Files, split_of};
use crate::read::part::{Open, Part, Raw};

/// The name of an array, and the array.
type Named = (String, NpyArray);

/// Reads an archive, or all archives of a folder.
pub fn read(request: &Request) -> Result<Raw, DataError> {
    if request.path.is_dir() { folder(request) } else { archive(request, request.path) }
}

/// Opens all arrays of an archive.
fn arrays(path: &Path) -> Result<Vec<Named>, DataError> {
    let archive = Arc::new(Archive::open(path, "an archive of NumPy (.npz)")?);
    let mut arrays = Vec::new();
    for (at, member) in archive.members.iter().enumerate() {
        let Some(key) = member.name.strip_suffix(".npy") else { continue };
        let way = |checked: bool| -> Open {
            let (archive, member) = (archive.clone(), format!("array `{key}`"));
            Arc::new(move || archive.input(at, &member, checked))
        };
        arrays.push((key.to_string(), NpyArray::new(way(true), way(false))?));
    }
    Ok(arrays)
}

fn archive(request: &Request, path: &Path) -> Result<Raw, DataError> {
    let arrays = arrays(path)?;
    let find = |role_: Role| arrays.iter().find(|(key, _)| role(key) == Some(role_));
    let mut warnings = Vec::new();
    let absent = |split: Split| Absence::Key { path: path.to_path_buf(), key: split.name() };
    let mut splits =
        [Err(absent(Split::Train)), Err(absent(Split::Valid)), Err(absent(Split::Test))];
    if request.spec.array.is_none() {
        for (split, part) in Split::ALL.into_iter().zip(&mut splits) {
            let Some((_, array)) = find(Role::Images(split)) else { continue };
            let (mut images, note) = array.images(request)?;
            warnings.extend(note);
            if let Some((_, labels)) = find(Role::Labels(split)) {
                labels.label(&mut images)?;
            }
            *part = Ok(images);
        }
    }
    if splits.iter().all(Result::is_err) {
        let array = sole(request, path, &arrays)?;
        let (images, note) = array.images(request)?;
        warnings.extend(note);
        splits[0] = Ok(images);
    }
    let [mut train, mut valid, mut test] = splits;
    if let Ok(train) = &mut train {
        label_all(request, path, &arrays, train)?;
    }
    let parts = [(Split::Train, &mut train), (Split::Valid, &mut valid), (Split::Test, &mut test)];
    conditions(request, path, &arrays, parts)?;
    let levels = match arrays.iter().find(|(key, _)| key == "levels") {
        Some((_, array)) => match array.number()? {
            Some(n @ 2..=256) => Some(n as usize),
            _ => {
                let what = "the number of levels must be one whole number from 2 to 256";
                let place = array.place.clone();
                return Err(DataError::Unsupported { place, what: what.to_string() });
            }
        },
        None => request.spec.range.map(|_| 256),
    };
    Ok(Raw { levels, train, valid, test, class_names: Vec::new(), warnings })
}

/// The array named by the option `array`, or else the only one that can be images.
fn sole<'a>(
    request: &Request,
    path: &Path,
    arrays: &'a [Named],
) -> Result<&'a NpyArray, DataError> {
    let found = |named: &Named| format!("{} ({})", named.0, named.1.about());
    let no_keys = |wanted: Option<&str>| DataError::NoKeys {
        path: path.to_path_buf(),
        wanted: wanted.map(str::to_string),
        found: arrays.iter().map(found).collect(),
        example: arrays.iter().find(|(_, a)| a.may_be_images()).map(|(key, _)| key.clone()),
    };
    if let Some(wanted) = request.spec.array.as_deref() {
        let named = arrays.iter().find(|(key, _)| key == wanted);
        return named.map(|(_, array)| array).ok_or_else(|| no_keys(Some(wanted)));
    }
    let unlabelled = arrays.iter().filter(|(key, _)| {
        let wanted = request.spec.conditions.iter().flatten();
        let condition = wanted.into_iter().any(|name| split_of_condition(key, name).is_some());
        role(key).is_none() && key != "levels" && !condition
    });
    let candidates: Vec<&Named> = unlabelled.filter(|(_, a)| a.may_be_images()).collect();
    match candidates[..] {
        [(_, array)] => Ok(array),
        _ => Err(no_keys(None)),
    }
}

/// Adds labels to training images, from an array whose name does not contain a split.
fn label_all(
    request: &Request,
    path: &Path,
    arrays: &[Named],
    part: &mut Part,
) -> Result<(), DataError> {
    if let Some(wanted) = &request.spec.labels {
        let Some((_, labels)) = arrays.iter().find(|(key, _)| key == wanted) else {
            return Err(DataError::NoLabels {
                path: path.to_path_buf(),
                wanted: wanted.clone(),
                found: arrays.iter().map(|(key, _)| key.clone()).collect(),
            });
        };
        return labels.label(part);
    }
    if part.labels.is_some() {
        return Ok(());
    }
    let any = arrays.iter().find(|(key, array)| {
        role(key) == Some(Role::AnyLabels) && array.count() == part.count as u64
    });
    if let Some((_, labels)) = any {
        labels.label(part)?;
        from_zero(arrays, part);
    }
    Ok(())
}

/// Adds the conditions: `train_NAME` or `NAME_train` for each split, or `NAME` for training images.
fn conditions(
    request: &Request,
    path: &Path,
    arrays: &[Named],
    parts: [(Split, &mut Result<Part, Absence>); 3],
) -> Result<(), DataError> {
    let wanted = request.spec.conditions.iter().flatten();
    let mut missing: Vec<&String> = wanted.clone().collect();
    for (split, part) in parts {
        let Ok(part) = part else { continue };
        for name in wanted.clone() {
            let of = |wanted: Option<Split>| {
                arrays.iter().find(|(key, _)| split_of_condition(key, name) == Some(wanted))
            };
            let all = || of(None).filter(|_| split == Split::Train);
            let Some((_, array)) = of(Some(split)).or_else(all) else { continue };
            array.condition(name, part)?;
            missing.retain(|missing| *missing != name);
        }
    }
    match missing.first() {
        Some(wanted) => Err(DataError::NoCondition {
            path: path.to_path_buf(),
            wanted: (*wanted).clone(),
            found: arrays.iter().map(|(key, _)| key.clone()).collect(),
        }),
        None => Ok(()),
    }
}

/// Downsampled ImageNet counts classes from 1. It is recognized by an array `mean`.
fn from_zero(arrays: &[Named], part: &mut Part) {
    let imagenet = arrays.iter().any(|(key, _)| key == "mean");
    let Some(labels) = part.labels.as_mut().filter(|_| imagenet) else { return };
    if !labels.contains(&0) {
        labels.iter_mut().for_each(|label| *label -= 1);
    }
}

/// Reads a folder of archives. Archives named after a split are its batches, in the order of their
/// numbers.
fn folder(request: &Request) -> Result<Raw, DataError> {
    if request.spec.conditions.is_some() {
        return Err(DataError::Unsupported {
            place: Place::file(request.path),
            what: "arrays of conditions are read from one archive: name the .npz file itself"
                .to_string(),
        });
    }
    let files = Files::folder(request.path, 1)?;
    let mut batches: [Vec<(u64, PathBuf)>; 3] = Default::default();
    let mut labels: [Option<PathBuf>; 3] = Default::default();
    for entry in files.entries() {
        let name = entry.base().to_lowercase();
        let (Some(stem), Some(path)) = (name.strip_suffix(".npz"), entry.path()) else { continue };
        let number = stem.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        let split = split_of(stem).unwrap_or(Split::Train);
        match stem.contains("label") {
            true => labels[split as usize] = Some(path.to_path_buf()),
            false => {
                batches[split as usize].push((number.parse().unwrap_or(0), path.to_path_buf()))
            }
        }
    }
    let mut warnings = Vec::new();
    let mut levels = None;
    let mut parts = Vec::new();
    for (split, mut batches) in Split::ALL.into_iter().zip(batches) {
        batches.sort();
        let mut chained = Vec::new();
        for (_, path) in batches {
            let raw = archive(request, &path)?;
            let several = || DataError::Unsupported {
                place: Place::file(&path),
                what: "a folder of archives is read as one array each, and this one has several \
                       splits: name the file itself"
                    .to_string(),
            };
            levels = levels.or(raw.levels);
            if warnings.is_empty() {
                warnings = raw.warnings;
            }
            chained.push(raw.train.map_err(|_| several())?);
        }
        let wanted = ["`*train*.npz`", "`*val*.npz`", "`*test*.npz`"][split as usize];
        let absence = Absence::File { folder: request.path.to_path_buf(), wanted };
        let mut part = Part::chain(chained).ok_or(absence);
        if let (Ok(part), Some(path)) = (&mut part, &labels[split as usize]) {
            // A separate file with a single array, as in KMNIST.
            if let [(_, labels)] = &arrays(path)?[..] {
                labels.label(part)?;
            }
        }
        parts.push(part);
    }
    if parts.iter().all(Result::is_err) {
        let folder = request.path.to_path_buf();
        return Err(DataError::NoFiles { folder, wanted: "archives of NumPy (.npz)".to_string() });
    }
    let mut next = || parts.remove(0);
    let (train, valid, test) = (next(), next(), next());
    Ok(Raw { levels, train, valid, test, class_names: Vec::new(), warnings })
}
