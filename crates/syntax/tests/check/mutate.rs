//! Mutated models: the check neither panics nor takes long, all its positions are inside the text, and a
//! model without errors can be built.

use pixelrnn_graph::{Source, Span, verify};
use pixelrnn_syntax::{check, elaborate, parse};

use crate::numbers::Numbers;

const SEEDS: [&str; 4] = [
    "D { h : usize = 2 , layers : usize = h / 2 } image 7 x 6 , colours 1 , levels 2 ; \
     stem : masked_conv ( 7 x 7 , A , 2 * h ) ; \
     body : repeat layers { residual { lstm : diagonal_bilstm ( h ) ; \
     up : masked_conv ( 1 x 1 , B , 2 * h ) ; } } head : relu ; logits ;",
    "R { h : usize = 3 } image 5 x 9 , colours 3 , levels 4 ; \
     stem : masked_conv ( 3 x 5 , A , 2 * h ) ; residual { row_lstm ( h , kernel = 5 ) ; tanh ; \
     up : masked_conv ( 3 x 3 , B , 6 ) ; } row_lstm ( h , 3 , learned ) ; logits ;",
    "S { h : usize = 4 } image 28 x 28 , colours 1 , levels 256 ; masked_conv ( 3 x 3 , A , h ) ; \
     collect { repeat 2 { block { relu ; a : masked_conv ( 1 x 3 , B , h ) ; } skip ( h + 1 ) ; } \
     b : masked_conv ( 1 x 1 , B , 5 ) ; } logits ;",
    "L { h : usize = 6 , w : usize = 3 } image 8 x 4 , colours w , levels 2 ; \
     stem : masked_conv ( w x 1 , A , h ) ; mix : conv ( 1 x w , h ) ; sigmoid ; logits ;",
];

/// Pieces that may replace a word or a number.
const PIECES: &str = "h layers w A B C zero learned kernel initial features image repeat residual \
    collect block masked_conv row_lstm diagonal_bilstm conv relu tanh skip logits nothing x \
    0 1 1 2 2 3 3 3 4 5 5 6 7 9 13 255 4096 65536 18446744073709551615 \
    ( ) { } ; , : = + - * /";

fn mutate<'a>(words: &mut Vec<&'a str>, pieces: &[&'a str], numbers: &mut Numbers) {
    let at = numbers.below(words.len());
    match numbers.below(12) {
        // Removes or repeats a statement, or whatever is between two semicolons.
        0 | 1 => {
            let ends: Vec<usize> = (0..words.len()).filter(|&i| words[i] == ";").collect();
            let Some(pair) = ends.windows(2).nth(numbers.below(ends.len().saturating_sub(1)))
            else {
                return;
            };
            let range = pair[0] + 1..pair[1] + 1;
            let statement = words[range.clone()].to_vec();
            if numbers.below(2) == 0 {
                words.drain(range);
            } else {
                words.splice(range.end..range.end, statement);
            }
        }
        2 => {
            words.remove(at);
        }
        3 => words.insert(at, pieces[numbers.below(pieces.len())]),
        // Replaces a number by a number or a word by a word, so that the text usually still parses.
        _ => {
            let kind =
                |word: &str| word.chars().next().map(|c| (c.is_numeric(), c.is_alphabetic()));
            let alike: Vec<&str> =
                pieces.iter().filter(|p| kind(p) == kind(words[at])).copied().collect();
            words[at] = alike[numbers.below(alike.len())];
        }
    }
}

#[test]
fn mutated_models() {
    let pieces: Vec<&str> = PIECES.split_whitespace().collect();
    let mut numbers = Numbers(3);
    let (mut parsed, mut models, mut leaks) = (0, 0, 0);
    for _ in 0..10_000 {
        let seed = SEEDS[numbers.below(SEEDS.len())];
        let mut words: Vec<&str> = seed.split_whitespace().collect();
        for _ in 0..=numbers.below(2) {
            mutate(&mut words, &pieces, &mut numbers);
        }
        let text = words.join(" ");
        let found = check(&Source::new("mutated", text.as_str()));
        for diagnostic in &found {
            let places = diagnostic.secondary.iter().map(|label| label.span);
            for Span { start, end } in places.chain([diagnostic.primary.span]) {
                let slice = text.get(start as usize..end as usize);
                assert!(slice.is_some(), "{start}..{end} is not a span of {text}");
            }
        }
        let (model, slips) = parse(&text);
        let Some(model) = model.filter(|_| slips.is_empty()) else { continue };
        parsed += 1;
        leaks += usize::from(found.iter().any(|d| d.message.starts_with("this layer leaks")));
        // Overrides a setting, as the command line does.
        let number = [0, 1, 2, 3, 5, 300, usize::MAX][numbers.below(7)];
        let name = ["h", "layers", "colours", "levels", "height"][numbers.below(5)];
        let _ = elaborate(&model, &[(name.to_string(), number)]);
        if found.is_empty() {
            models += 1;
            let declared = elaborate(&model, &[]).expect("nothing was found wrong with it");
            for scale in &declared.scales {
                assert_eq!(verify(&scale.graph), Ok(()), "{text}");
            }
        }
    }
    // Otherwise the test would not cover these cases.
    assert!(parsed > 2_000 && models > 300 && leaks > 150, "{parsed} {models} {leaks}");
}
