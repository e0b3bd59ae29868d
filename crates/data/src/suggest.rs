//! "Did you mean ...?" The crate `syntax` has such a function, too, but this crate does not depend
//! on it.

/// The candidate that `word` is most likely a misspelling of, with at most one error per three
/// letters.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.trim().to_lowercase().chars().collect();
    if word.is_empty() || word.len() > 32 {
        return None;
    }
    let near = |candidate: &'a str| {
        let other: Vec<char> = candidate.chars().collect();
        let allowed = word.len().max(other.len()).div_ceil(3).min(word.len() - 1);
        let distance = distance(&word, &other);
        (distance <= allowed).then_some((distance, candidate))
    };
    candidates.into_iter().filter_map(near).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// The edit distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let wrong = last[j] + usize::from(x != y);
            row.push(wrong.min(last[j + 1] + 1).min(row[j] + 1));
        }
        last = row;
    }
    last[b.len()]
}
