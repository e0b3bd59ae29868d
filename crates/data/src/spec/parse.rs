//! Parses text to a [`Spec`].

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::text::{split, unquoted};
use super::{Binarize, OPTIONS, Source, Spec, SpecError, SpecOption};
use crate::read::{FORMATS, Format};
use crate::suggest::closest;

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Spec, SpecError> {
        let parts = split(text).ok_or_else(|| SpecError::OpenQuote { found: text.to_string() })?;
        let mut parts = parts.iter();
        let source = source(parts.next().map_or("", |part| part.trim()))?;
        let mut spec = Spec::new(source);
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
        Some((word, path)) => (word.trim(), Some(unquoted(path))),
        None => (text, None),
    };
    let Some(format) = FORMATS.iter().find(|format| format.word == word) else {
        let near = by_name(text)
            .or_else(|| closest(word, FORMATS.iter().map(|f| f.word)).map(str::to_string));
        return Err(SpecError::UnknownSource { found: word.to_string(), near });
    };
    if !format.has_path() {
        return match path {
            Some(found) => Err(SpecError::NeedsNoPath { source_name: format.word, found }),
            None => Ok(Source { format, path: None }),
        };
    }
    let path = path.filter(|path| !path.is_empty()).map(PathBuf::from);
    let no_path = SpecError::NoPath { source_name: format.word, usage: format.usage };
    Ok(Source { format, path: Some(path.ok_or(no_path)?) })
}

/// For a path without a source: how it should have been written, guessed from its name.
fn by_name(text: &str) -> Option<String> {
    let name = Path::new(text).file_name()?.to_str()?.to_lowercase();
    if Path::new(text).is_dir() {
        return Some(format!("images:{text}"));
    }
    if name.starts_with("mnist") {
        return Some("idx:FOLDER".to_string());
    }
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let fits = |format: &&Format| format.endings.iter().any(|ending| plain.ends_with(ending));
    FORMATS.iter().find(fits).map(|format| format!("{}:{text}", format.word))
}

fn option(spec: &mut Spec, text: &str) -> Result<(), SpecError> {
    let (word, value) = match text.split_once('=') {
        Some((word, value)) => (word.trim(), Some(unquoted(value))),
        None => (text, None),
    };
    let Some(option) = OPTIONS.iter().find(|o| o.word == word || o.also.contains(&word)) else {
        return Err(SpecError::UnknownOption { found: word.to_string(), near: meant(word) });
    };
    let &SpecOption { word: name, wanted, names, set, .. } = option;
    let value = value.filter(|value| !value.is_empty());
    let value = value.ok_or(SpecError::NoValue { option: name, wanted })?;
    match set(spec, &value) {
        Some(true) => Ok(()),
        Some(false) => Err(SpecError::Twice { option: name }),
        None => {
            let near = closest(&value, names.iter().copied()).map(str::to_string);
            Err(SpecError::BadValue { option: name, found: value, wanted, near })
        }
    }
}

/// The option that was probably meant.
fn meant(word: &str) -> Option<String> {
    let way = Binarize::ALL.iter().find(|(name, _)| *name == word);
    let way = way.map(|(name, _)| format!("binarize={name}"));
    let words = || OPTIONS.iter().flat_map(|o| o.also.iter().copied().chain([o.word]));
    way.or_else(|| closest(word, words()).map(str::to_string))
}
