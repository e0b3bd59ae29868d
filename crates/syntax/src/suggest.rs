//! Suggestions for misspelled names: "did you mean ...?"

/// Longer words are not compared, since the cost is the product of the lengths.
const MAX_LENGTH: usize = 64;

/// The candidate that `word` is most likely a misspelling of; `None` if none is similar.
///
/// Case and underscores are ignored (`MaskedConv` matches `masked_conv`). Besides that, one mistake is
/// allowed per three letters: an additional, missing or wrong letter, or two swapped ones. Of equally similar
/// candidates, the first is returned.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    if word.is_empty() || word.len() > MAX_LENGTH {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = plain(candidate);
        if other.len() > MAX_LENGTH {
            continue;
        }
        let distance = distance(&word, &other);
        let allowed = word.len().max(other.len()).div_ceil(3).min(word.len().saturating_sub(1));
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn plain(word: &str) -> Vec<char> {
    word.chars().filter(|&c| c != '_').flat_map(char::to_lowercase).collect()
}

/// Edit distance that counts a swap of neighboring letters as one edit (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let wrong = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + wrong);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_slips_and_nothing_else() {
        let layers = ["masked_conv", "relu", "logits", "diagonal_bilstm", "row_lstm"];
        let cases = [
            ("maskd_conv", Some("masked_conv")),
            ("MaskedConv", Some("masked_conv")),
            ("relo", Some("relu")),
            ("rleu", Some("relu")),
            ("logit", Some("logits")),
            ("diagonal_lstm", Some("diagonal_bilstm")),
            ("softmax", None),
            ("x", None),
            ("", None),
            ("___", None),
        ];
        for (word, expected) in cases {
            assert_eq!(closest(word, layers), expected, "{word}");
        }
    }

    #[test]
    fn a_single_letter_is_never_a_slip_of_another() {
        assert_eq!(closest("g", ["h", "layers"]), None);
        assert_eq!(closest("H", ["h"]), Some("h"), "only its case is off");
    }

    #[test]
    fn long_words_cost_nothing() {
        let long = "m".repeat(100_000);
        assert_eq!(closest(&long, ["masked_conv"]), None);
        assert_eq!(closest("masked_conv", [long.as_str()]), None);
    }
}
