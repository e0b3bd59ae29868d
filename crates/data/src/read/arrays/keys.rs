//! What the names of arrays mean.

use crate::dataset::Split;

/// What an array contains, by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// The images of a split.
    Images(Split),
    /// The labels of a split.
    Labels(Split),
    /// Labels; the name does not say of which split.
    AnyLabels,
}

/// The words for each split in names of arrays, files and folders.
pub const SPLITS: [(Split, &[&str]); 3] = [
    (Split::Train, &["train", "training", "trn"]),
    (Split::Valid, &["valid", "val", "validation", "dev"]),
    (Split::Test, &["test", "testing", "tst"]),
];

const IMAGES: [&str; 13] = [
    "", "x", "image", "images", "img", "imgs", "data", "pixels", "input", "inputs", "features",
    "set", "arr",
];

const LABELS: [&str; 8] = ["y", "label", "labels", "lbl", "target", "targets", "class", "classes"];

/// The letters and digits of a name, in lower case.
fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Whether the array `key` belongs to the condition `name`, and to which split: `Some(None)` if
/// `key` is just `name`, and `None` if it is another array.
pub fn split_of_condition(key: &str, name: &str) -> Option<Option<Split>> {
    // An array that is read as images or labels cannot be a condition, too.
    if role(key).is_some() {
        return None;
    }
    let (key, name) = (plain(key), plain(name));
    if key == name {
        return Some(None);
    }
    let words = SPLITS.iter().flat_map(|(split, words)| words.iter().map(|word| (*split, *word)));
    { words }.find_map(|(split, word)| {
        let rest = [key.strip_prefix(word), key.strip_suffix(word)];
        rest.into_iter().flatten().any(|rest| rest == name).then_some(Some(split))
    })
}

/// What the name of an array means; `None` if it does not say.
pub fn role(key: &str) -> Option<Role> {
    let plain = plain(key);
    if LABELS.contains(&plain.as_str()) {
        return Some(Role::AnyLabels);
    }
    let words = SPLITS.iter().flat_map(|(split, words)| words.iter().map(|word| (*split, *word)));
    words
        .flat_map(|(split, word)| {
            let rest = [plain.strip_prefix(word), plain.strip_suffix(word)];
            rest.into_iter().flatten().map(move |rest| (split, rest))
        })
        .find_map(|(split, rest)| {
            if IMAGES.contains(&rest) {
                Some(Role::Images(split))
            } else {
                LABELS.contains(&rest).then_some(Role::Labels(split))
            }
        })
}
