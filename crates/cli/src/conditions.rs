//! Values of conditions, given with `--condition`.

use std::path::PathBuf;

use pixelrnn::internal::ops::ConditionKind;
use pixelrnn::internal::ops::condition::Source;
use pixelrnn::training::data::{Images, numbers};
use pixelrnn::{Array, Declaration};

use crate::exit::{Failure, usage};

/// Arrays by the names of their conditions. The first axis counts images.
pub type Arrays = Vec<(String, Array)>;

/// The conditions of a model that are read from arrays.
fn known(model: &Declaration) -> impl Iterator<Item = &(String, ConditionKind)> {
    model.conditions().iter().filter(|(_, kind)| kind.source() == Source::Array)
}

fn size(model: &Declaration) -> [usize; 2] {
    [model.image().height, model.image().width]
}

/// Reads these files as the model needs them. `count` is the number of images, if the user gave
/// one.
pub fn given(
    model: &Declaration,
    files: &[(String, PathBuf)],
    count: Option<usize>,
) -> Result<Arrays, Failure> {
    let model_name = model.name();
    let mut all = Arrays::new();
    for (name, path) in files {
        let file = path.display();
        let Some((_, kind)) = known(model).find(|(known, _)| known == name) else {
            let known: Vec<String> = known(model).map(|(name, _)| format!("`{name}`")).collect();
            return usage(match known.is_empty() {
                true => format!("{model_name} reads no arrays: leave out `--condition {name}=...`"),
                false => {
                    format!(
                        "{model_name} has no condition `{name}`: it reads {}",
                        known.join(" and ")
                    )
                }
            });
        };
        if all.iter().any(|(known, _)| known == name) {
            return usage(format!("`--condition {name}=...` is given twice"));
        }
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz")) {
            return usage(format!(
                "{file} holds several arrays, but `--condition` takes one: save it as .npy, as in \
                 `np.save(\"{name}.npy\", np.load(\"{file}\")[\"{name}\"])`"
            ));
        }
        let values = match kind.take(numbers(path).map_err(Failure::data)?, size(model)) {
            Ok(values) => values,
            Err(reason) => {
                return usage(format!(
                    "{file} does not suit `{name}` ({}): {reason}",
                    kind.about()
                ));
            }
        };
        let rows = values.shape()[0];
        if let Some(n) = count.filter(|&n| n != rows) {
            return usage(format!(
                "{file} has {rows} rows, but `-n {n}` asks for {n} images: leave out `-n`, or give a file \
                 with a row for each image"
            ));
        }
        if let Some((first, array)) = all.first().filter(|(_, array)| array.shape()[0] != rows) {
            let other = array.shape()[0];
            return usage(format!(
                "{file} has {rows} rows, but the file of `{first}` has {other}: expected as many"
            ));
        }
        all.push((name.clone(), values));
    }
    Ok(all)
}

/// Checks that an array is given for each condition of the model.
pub fn complete(model: &Declaration, arrays: &Arrays) -> Result<(), Failure> {
    let given = |name: &str| arrays.iter().any(|(given, _)| given == name);
    let Some((name, kind)) = known(model).find(|(name, _)| !given(name)) else { return Ok(()) };
    let shape = kind.ty(size(model)).extents(1);
    let shape: Vec<String> = shape.iter().skip(1).map(usize::to_string).collect();
    usage(format!(
        "missing --condition: {} is conditioned on `{name}` ({}); give `--condition {name}=FILE.npy`, an \
         array [N, {}]",
        model.name(),
        kind.about(),
        shape.join(", ")
    ))
}

/// The arrays for completions: the given ones, and the others from the data. Each row is repeated
/// for each completion.
pub fn of_completions(
    model: &Declaration,
    images: Images,
    given: Arrays,
    count: usize,
    copies: usize,
) -> Result<Arrays, Failure> {
    let rows: Vec<usize> = (0..count * copies).map(|i| i / copies).collect();
    let repeated = |array: Array| {
        let mut shape = array.shape().to_vec();
        shape[0] = rows.len();
        Array::from_shape_fn(shape, |mut at| {
            at[0] = rows[at[0]];
            array[at]
        })
    };
    let mut all: Arrays = given.into_iter().map(|(name, array)| (name, repeated(array))).collect();
    for (name, _) in known(model) {
        if !all.iter().any(|(given, _)| given == name) {
            let array = images.condition(name, &rows).map_err(Failure::data)?;
            all.extend(array.map(|array| (name.clone(), array)));
        }
    }
    Ok(all)
}
