//! Text to [`Spec`].

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Binarize, Source, Spec, SpecError};
use crate::suggest::closest;

/// Each option, and what it takes.
const OPTIONS: [(&str, &str); 4] = [
    ("limit", "it takes how many images of each split to keep, 1 or more, as in `limit=1000`"),
    ("size", "it takes height x width, each from 1 to 65535, as in `size=32x32`"),
    ("levels", "it takes a whole number from 2 to 256, as in `levels=16`"),
    ("binarize", "it takes `threshold`, `sample` or `resample`"),
];

/// Option words of others, and ours.
const SYNONYMS: [(&str, &str); 4] =
    [("binarise", "binarize"), ("count", "limit"), ("bins", "levels"), ("resize", "size")];

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Spec, SpecError> {
        let mut parts = text.split(',');
        let source = source(parts.next().unwrap_or_default().trim())?;
        let mut spec = Spec { source, limit: None, size: None, levels: None, binarize: None };
        for part in parts {
            option(&mut spec, part.trim())?;
        }
        Ok(spec)
    }
}

fn source(text: &str) -> Result<Source, SpecError> {
    if text.is_empty() {
        return Err(SpecError::Empty);
    }
    let (word, path) = match text.split_once(':') {
        Some((word, path)) => (word.trim(), Some(path.trim())),
        None => (text, None),
    };
    let Some(&(name, usage)) = Source::ALL.iter().find(|(name, _)| *name == word) else {
        let near = by_name(text)
            .or_else(|| closest(word, Source::ALL.map(|(name, _)| name)).map(str::to_string));
        return Err(SpecError::UnknownSource { found: word.to_string(), near });
    };
    if name == "digits" {
        return match path {
            Some(found) => Err(SpecError::DigitsPath { found: found.to_string() }),
            None => Ok(Source::Digits),
        };
    }
    let path = path.filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = path.ok_or(SpecError::NoPath { source_name: name, usage })?;
    Ok(match name {
        "npz" => Source::Npz(path),
        "npy" => Source::Npy(path),
        "idx" => Source::Idx(path),
        "cifar10" => Source::Cifar10(path),
        _ => Source::Images(path),
    })
}

/// A path whose name says how it should have been written.
fn by_name(text: &str) -> Option<String> {
    let name = Path::new(text).file_name()?.to_str()?;
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    match plain.rsplit_once('.') {
        Some((_, kind @ ("npz" | "npy"))) => Some(format!("{kind}:{text}")),
        _ if plain.ends_with("-ubyte") => Some(format!("idx:{text}")),
        _ => None,
    }
}

fn option(spec: &mut Spec, text: &str) -> Result<(), SpecError> {
    let (word, value) = match text.split_once('=') {
        Some((word, value)) => (word.trim(), Some(value.trim())),
        None => (text, None),
    };
    let Some(&(option, wanted)) = OPTIONS.iter().find(|(name, _)| *name == word) else {
        let synonym = SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours);
        let way = Binarize::ALL.iter().find(|way| way.name() == word);
        let near = way
            .map(|way| format!("binarize={}", way.name()))
            .or_else(|| synonym.map(str::to_string))
            .or_else(|| closest(word, OPTIONS.map(|(name, _)| name)).map(str::to_string));
        return Err(SpecError::UnknownOption { found: word.to_string(), near });
    };
    let value = value.filter(|value| !value.is_empty());
    let value = value.ok_or(SpecError::NoValue { option, wanted })?;
    let fresh = match option {
        "limit" => number(value, 1..=usize::MAX).map(|n| spec.limit.replace(n).is_none()),
        "size" => extents(value).map(|size| spec.size.replace(size).is_none()),
        "levels" => number(value, 2..=256).map(|n| spec.levels.replace(n).is_none()),
        _ => {
            let way = Binarize::ALL.into_iter().find(|way| way.name() == value);
            way.map(|way| spec.binarize.replace(way).is_none())
        }
    };
    match fresh {
        Some(true) => Ok(()),
        Some(false) => Err(SpecError::Twice { option }),
        None => {
            let ways = Binarize::ALL.map(Binarize::name);
            let near = (option == "binarize").then(|| closest(value, ways)).flatten();
            let near = near.map(str::to_string);
            Err(SpecError::BadValue { option, found: value.to_string(), wanted, near })
        }
    }
}

fn number(text: &str, range: std::ops::RangeInclusive<usize>) -> Option<usize> {
    text.parse().ok().filter(|n| range.contains(n))
}

fn extents(text: &str) -> Option<(usize, usize)> {
    let (height, width) = text.split_once('x')?;
    Some((number(height.trim(), 1..=65535)?, number(width.trim(), 1..=65535)?))
}
