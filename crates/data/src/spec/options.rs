//! The table of options.

use super::{Binarize, Fit, Shuffle, Spec};

/// An option of a data set.
#[derive(Debug)]
pub struct SpecOption {
    /// The name of the option.
    pub word: &'static str,
    /// Other accepted names.
    pub also: &'static [&'static str],
    /// A placeholder for its values, such as `N`.
    pub values: &'static str,
    /// A one-line description for the help text.
    pub about: &'static str,
    /// Whether only some formats support it.
    pub of_readers: bool,
    /// The values that it accepts, with an example, for errors.
    pub(super) wanted: &'static str,
    /// The names of its values, if it has a fixed set.
    pub(super) names: &'static [&'static str],
    /// Sets the option. Returns whether it was unset before, or `None` if the value is invalid.
    pub(super) set: fn(&mut Spec, &str) -> Option<bool>,
    /// The value of the option as text; `None` if it is not set.
    pub(crate) show: fn(&Spec) -> Option<String>,
}

/// All options, in the order in which they apply.
pub static OPTIONS: [SpecOption; 13] = [
    SpecOption {
        word: "array",
        also: &["key", "set"],
        values: "NAME",
        about: "array of an .npz, or set of an EMNIST archive, to train on",
        of_readers: true,
        wanted: "it takes the name of an array, as in `array=images`",
        names: &[],
        set: |spec, value| Some(spec.array.replace(value.to_string()).is_none()),
        show: |spec| spec.array.clone(),
    },
    SpecOption {
        word: "labels",
        also: &[],
        values: "NAME",
        about: "array of an .npz, or .npy file next to an .npy, with the classes",
        of_readers: true,
        wanted: "it takes the name of an array or of a file, as in `labels=y`",
        names: &[],
        set: |spec, value| Some(spec.labels.replace(value.to_string()).is_none()),
        show: |spec| spec.labels.clone(),
    },
    SpecOption {
        word: "conditions",
        also: &["condition"],
        values: "NAME+...",
        about: "arrays of an .npz that a model is conditioned on: train_NAME, test_NAME, ..., a row per image",
        of_readers: true,
        wanted: "it takes the names of conditions, as in `conditions=edges` or `conditions=edges+depth`",
        names: &[],
        set: |spec, value| {
            let names: Vec<String> = value.split('+').map(str::to_string).collect();
            let named = |name: &String| name.chars().any(|c| c.is_ascii_alphanumeric());
            names.iter().all(named).then(|| spec.conditions.replace(names).is_none())
        },
        show: |spec| spec.conditions.as_ref().map(|names| names.join("+")),
    },
    SpecOption {
        word: "range",
        also: &["scale"],
        values: "LOW:HIGH",
        about: "map LOW to level 0 and HIGH to level 255: 0:1, -1:1 or 0:65535",
        of_readers: true,
        wanted: "it takes two different numbers, as in `range=0:1` or `range=-1:1`",
        names: &[],
        set: |spec, value| {
            let (low, high) = value.split_once(':')?;
            let number = |text: &str| text.trim().parse().ok().filter(|x: &f64| x.is_finite());
            let range = (number(low)?, number(high)?);
            (range.0 < range.1).then(|| spec.range.replace(range).is_none())
        },
        show: |spec| spec.range.map(|(low, high)| format!("{low}:{high}")),
    },
    SpecOption {
        word: "holdout",
        also: &["validation"],
        values: "SHARE",
        about: "share of training images to use for validation, if the source has none [default: 0.1]",
        of_readers: false,
        wanted: "it takes a share from 0 to 0.9, as in `holdout=0.1`",
        names: &[],
        set: |spec, value| {
            let share = value.parse().ok().filter(|share| (0.0..=0.9).contains(share))?;
            Some(spec.holdout.replace(share).is_none())
        },
        show: |spec| spec.holdout.map(|share| share.to_string()),
    },
    SpecOption {
        word: "shuffle",
        also: &[],
        values: "SEED|off",
        about: "seed for choosing the images of `holdout` and `limit` [default: 0]; off: hold out the last, keep the first",
        of_readers: false,
        wanted: "it takes a seed, as in `shuffle=1`, or `off`",
        names: &["off"],
        set: |spec, value| {
            let shuffle = match value {
                "off" => Shuffle::Off,
                seed => Shuffle::Seed(seed.parse().ok()?),
            };
            Some(spec.shuffle.replace(shuffle).is_none())
        },
        show: |spec| {
            spec.shuffle.map(|shuffle| match shuffle {
                Shuffle::Seed(seed) => seed.to_string(),
                Shuffle::Off => "off".to_string(),
            })
        },
    },
    SpecOption {
        word: "limit",
        also: &["count"],
        values: "N",
        about: "keep N images of each split, in equal shares of every class",
        of_readers: false,
        wanted: "it takes the number of images to keep per split, 1 or more, as in `limit=1000`",
        names: &[],
        set: |spec, value| Some(spec.limit.replace(number(value, 1, usize::MAX)?).is_none()),
        show: |spec| spec.limit.map(|n| n.to_string()),
    },
    SpecOption {
        word: "crop",
        also: &[],
        values: "HxW",
        about: "crop the center of each image to this size",
        of_readers: false,
        wanted: "it takes height x width, each from 1 to 65535, as in `crop=140x140`",
        names: &[],
        set: |spec, value| Some(spec.crop.replace(extents(value)?).is_none()),
        show: |spec| spec.crop.map(|(height, width)| format!("{height}x{width}")),
    },
    SpecOption {
        word: "fit",
        also: &[],
        values: "crop|pad|squash",
        about: "how images of another aspect ratio get this size: crop, pad with black, or distort [default: squash]",
        of_readers: false,
        wanted: "it takes `crop`, `pad` or `squash`, and needs `size`",
        names: &["crop", "pad", "squash"],
        set: |spec, value| {
            let (_, fit) = Fit::ALL.into_iter().find(|(name, _)| *name == value)?;
            Some(spec.fit.replace(fit).is_none())
        },
        show: |spec| spec.fit.and_then(|fit| name(&Fit::ALL, fit)),
    },
    SpecOption {
        word: "size",
        also: &["resize"],
        values: "HxW",
        about: "shrink images: each pixel is the mean of the area it covers",
        of_readers: false,
        wanted: "it takes height x width, each from 1 to 65535, as in `size=32x32`",
        names: &[],
        set: |spec, value| Some(spec.size.replace(extents(value)?).is_none()),
        show: |spec| spec.size.map(|(height, width)| format!("{height}x{width}")),
    },
    SpecOption {
        word: "colors",
        also: &["colours", "channels"],
        values: "1|3",
        about: "1: gray = (299 R + 587 G + 114 B) / 1000, rounded; 3: gray repeated",
        of_readers: false,
        wanted: "it takes 1 for grayscale or 3 for red, green and blue, as in `colors=1`",
        names: &[],
        set: |spec, value| {
            let colours = number(value, 1, 3).filter(|&n| n != 2)?;
            Some(spec.colours.replace(colours).is_none())
        },
        show: |spec| spec.colours.map(|n| n.to_string()),
    },
    SpecOption {
        word: "levels",
        also: &["bins"],
        values: "N",
        about: "requantize: a value v of L levels becomes floor(v N / L)",
        of_readers: false,
        wanted: "it takes a whole number from 2 to 256, as in `levels=16`",
        names: &[],
        set: |spec, value| Some(spec.levels.replace(number(value, 2, 256)?).is_none()),
        show: |spec| spec.levels.map(|n| n.to_string()),
    },
    SpecOption {
        word: "binarize",
        also: &["binarise"],
        values: "threshold|sample|resample",
        about: "two levels: by threshold at one half, sampled once, or resampled every epoch",
        of_readers: false,
        wanted: "it takes `threshold`, `sample` or `resample`",
        names: &["threshold", "sample", "resample"],
        set: |spec, value| {
            let (_, way) = Binarize::ALL.into_iter().find(|(name, _)| *name == value)?;
            Some(spec.binarize.replace(way).is_none())
        },
        show: |spec| spec.binarize.and_then(|way| name(&Binarize::ALL, way)),
    },
];

fn name<T: PartialEq>(all: &[(&'static str, T)], value: T) -> Option<String> {
    all.iter().find(|(_, other)| *other == value).map(|(name, _)| name.to_string())
}

fn number(text: &str, low: usize, high: usize) -> Option<usize> {
    text.parse().ok().filter(|n| (low..=high).contains(n))
}

fn extents(text: &str) -> Option<(usize, usize)> {
    let (height, width) = text.split_once('x')?;
    Some((number(height.trim(), 1, 65535)?, number(width.trim(), 1, 65535)?))
}
