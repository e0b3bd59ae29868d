//! Parts of error messages.

use std::path::Path;

use crate::dataset::Split;
use crate::read::FORMATS;
use crate::shape::Shape;

pub fn remedy(found: &Shape, expected: &Shape) -> &'static str {
    match found.colours == expected.colours {
        true => "all images must have the same size: use `,size=HxW` or `,crop=HxW`",
        false => "all images must have the same colors: use `,colors=1` or `,colors=3`",
    }
}

/// NumPy code that converts an array of another shape to images, to append to an error.
pub fn reshape(found: &[u64]) -> &'static str {
    match *found {
        _ if found.contains(&0) => ": it is empty, save the images again",
        [] | [_] | [_, _] => "; in NumPy: `a = a.reshape(-1, H, W)`",
        [_, channels, height, _] if channels < height => {
            "; in NumPy, to keep three channels: `a = a[:, :3]`"
        }
        [_, _, _, _] => "; in NumPy, to keep three channels: `a = a[..., :3]`",
        _ => "; in NumPy, to drop dimensions of one: `a = a.squeeze()`",
    }
}

pub fn no_keys(
    path: &Path,
    wanted: &Option<String>,
    found: &[String],
    example: &Option<String>,
) -> String {
    let path = path.display();
    let missing = match wanted {
        Some(wanted) => format!("no array `{wanted}`"),
        None => {
            "none of the arrays `train`, `valid`, `test`, or of names like `x_train`".to_string()
        }
    };
    let choose = match example {
        Some(example) => format!("; choose one with `,array={example}`"),
        None => String::new(),
    };
    format!("{path} has {missing}; it has {}{choose}", list(found))
}

/// The formats that support an option.
pub fn takers(option: &str) -> String {
    let takers = FORMATS.iter().filter(|format| format.takes.contains(&option));
    takers.map(|format| format!("`{}`", format.word)).collect::<Vec<_>>().join(", ")
}

pub fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    match names.len() {
        0 => return "no array at all".to_string(),
        n if n > SHOWN => shown.push(format!("and {} more", n - SHOWN)),
        _ => {}
    }
    shown.join(", ")
}

pub fn splits(present: &[Split]) -> String {
    present.iter().map(|s| format!("`{}`", s.name())).collect::<Vec<_>>().join(", ")
}
