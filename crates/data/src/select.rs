//! Which images of a source are used: those for validation, and those that a limit keeps.
//!
//! Both are chosen at random, but evenly over the order of the data. To choose k images, the data
//! are divided into k equal ranges, and one image is chosen from each. So data that are sorted by
//! class give some of each class. If there are labels, the same share of every class is chosen, and
//! the ranges are among the images of the class. The choice has its own seed, 0 unless `shuffle=N`
//! is given: a data set has the same images in every run, whatever the seed of the run. With
//! `shuffle=off`, images are chosen in the order of the data.

use std::collections::BTreeMap;

use crate::count::grouped;
use crate::dataset::Split;
use crate::error::Absence;
use crate::random::{Purpose, below, shuffle, stream};
use crate::read::{Part, Raw};
use crate::spec::{Shuffle, Spec};

/// The default share of training images for validation.
const HOLDOUT: f64 = 0.1;

/// The images of each split, as indices in the source in ascending order.
#[derive(Clone)]
pub struct Plan {
    /// Training images, including those for validation if `holds_out`.
    pub train: Option<Vec<usize>>,
    /// Whether validation images are taken from the training images.
    pub holds_out: bool,
    /// Indices in the source's own validation split, or with `holds_out` in the training split.
    pub valid: Result<Vec<usize>, Absence>,
    pub test: Option<Vec<usize>>,
    /// A sentence on how the validation images were chosen.
    pub about: Option<String>,
    pub warnings: Vec<String>,
}

impl Plan {
    /// Chooses the images of each split.
    pub fn new(spec: &Spec, raw: &Raw) -> Plan {
        let mut warnings = Vec::new();
        let mut about = None;
        let all = |part: &Part| (0..part.count).collect::<Vec<usize>>();
        let limited = |part: &Part, split, from: Vec<usize>, warnings: &mut Vec<String>| {
            let Some(limit) = spec.limit.filter(|&limit| limit < from.len()) else { return from };
            let (from, reach) = within_reach(part, from);
            if let Some(reach) = reach {
                let warning = format!(
                    "limit={limit} chooses among the first {} of the {} images of {}: the others \
                     would have to be decompressed; store them uncompressed to choose among all",
                    grouped(reach),
                    grouped(part.count),
                    part.place
                );
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            Choice { labels: part.labels.as_deref(), purpose: Purpose::Limit(split) }.of(
                from,
                limit,
                spec.shuffle(),
            )
        };
        let test =
            raw.test.as_ref().ok().map(|part| limited(part, Split::Test, all(part), &mut warnings));
        let Ok(train) = &raw.train else {
            let valid = match &raw.valid {
                Ok(part) => Ok(limited(part, Split::Valid, all(part), &mut warnings)),
                Err(_) => Err(Absence::NoTrain),
            };
            return Plan { train: None, holds_out: false, valid, test, about, warnings };
        };
        if let Ok(valid) = &raw.valid {
            if spec.holdout.is_some() {
                warnings.push(format!(
                    "`holdout` changes nothing: the source has validation images of its own, {}",
                    valid.place
                ));
            }
            let valid = limited(valid, Split::Valid, all(valid), &mut warnings);
            let train = Some(limited(train, Split::Train, all(train), &mut warnings));
            return Plan { train, holds_out: false, valid: Ok(valid), test, about, warnings };
        }
        let share = spec.holdout.unwrap_or(HOLDOUT);
        // The offset makes a tenth of 1,500 be 150, although 0.1 is rounded.
        let held = (train.count as f64 * share + 1e-6).floor() as usize;
        if held == 0 {
            let count = train.count;
            let absence = if share > 0.0 { Absence::TooFew { count, share } } else { Absence::Off };
            let train = Some(limited(train, Split::Train, all(train), &mut warnings));
            return Plan { train, holds_out: false, valid: Err(absence), test, about, warnings };
        }
        let choice = Choice { labels: train.labels.as_deref(), purpose: Purpose::HoldOut };
        let valid = choice.of(all(train), held, spec.shuffle());
        about = Some(choice.about(held, train.count, spec.shuffle()));
        let mut rest = all(train);
        rest.retain(|index| valid.binary_search(index).is_err());
        let valid = limited(train, Split::Valid, valid, &mut warnings);
        let mut kept = limited(train, Split::Train, rest, &mut warnings);
        let room = spec.limit.unwrap_or(usize::MAX).saturating_sub(kept.len());
        kept.extend(valid.iter().take(room));
        kept.sort_unstable();
        Plan { train: Some(kept), holds_out: true, valid: Ok(valid), test, about, warnings }
    }
}

impl Spec {
    fn shuffle(&self) -> Shuffle {
        self.shuffle.unwrap_or(Shuffle::Seed(0))
    }
}

/// The images that can be reached without decompressing too much. If these are not all, also
/// returns how many images of the part can be reached.
fn within_reach(part: &Part, mut from: Vec<usize>) -> (Vec<usize>, Option<usize>) {
    let Some(reach) = part.pixels.reach().filter(|&reach| reach < part.count) else {
        return (from, None);
    };
    let near = from.partition_point(|&index| index < reach);
    // Keep at least one: all of the held-out images may be out of reach.
    from.truncate(near.max(1));
    (from, Some(reach))
}

/// How images are chosen.
#[derive(Clone, Copy)]
struct Choice<'a> {
    labels: Option<&'a [u32]>,
    purpose: Purpose,
}

impl Choice<'_> {
    /// Chooses `count` of the indices `from`, in ascending order.
    fn of(self, mut from: Vec<usize>, count: usize, how: Shuffle) -> Vec<usize> {
        if count >= from.len() {
            return from;
        }
        let Shuffle::Seed(seed) = how else {
            let first = match self.purpose {
                Purpose::HoldOut => from.len() - count,
                _ => 0,
            };
            return from.drain(first..first + count).collect();
        };
        let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for &index in &from {
            let label = self.labels.and_then(|labels| labels.get(index)).copied().unwrap_or(0);
            classes.entry(label).or_default().push(index);
        }
        let shares = self.shares(&classes, from.len(), count, seed);
        let mut chosen = Vec::with_capacity(count);
        for ((label, members), share) in classes.into_iter().zip(shares) {
            let mut rng = stream(seed, self.purpose, 0, u64::from(label));
            let edge =
                |part: usize| (part as u128 * members.len() as u128 / share as u128) as usize;
            let stretches = (0..share).map(|part| (edge(part), edge(part + 1)));
            chosen.extend(
                stretches.map(|(first, end)| members[first + below(end - first, &mut rng)]),
            );
        }
        chosen.sort_unstable();
        chosen
    }

    /// How many images to choose from each class: proportional to its size, rounded down. The
    /// remaining ones go to the classes with the largest remainders, and among equal ones at
    /// random.
    fn shares(
        self,
        classes: &BTreeMap<u32, Vec<usize>>,
        all: usize,
        count: usize,
        seed: u64,
    ) -> Vec<usize> {
        let exact = |n: usize| n as u128 * count as u128;
        let mut shares: Vec<usize> =
            classes.values().map(|members| (exact(members.len()) / all as u128) as usize).collect();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        shuffle(&mut order, &mut stream(seed, self.purpose, 1, 0));
        let lost: Vec<u128> =
            classes.values().map(|members| exact(members.len()) % all as u128).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(lost[class]));
        let left = count - shares.iter().sum::<usize>();
        order.into_iter().take(left).for_each(|class| shares[class] += 1);
        shares
    }

    fn about(self, held: usize, count: usize, how: Shuffle) -> String {
        let (held, count) = (grouped(held), grouped(count));
        match (how, self.labels) {
            (Shuffle::Off, _) => {
                format!("held out for validation: the last {held} of {count} training images")
            }
            (Shuffle::Seed(seed), None) => format!(
                "held out for validation: {held} of {count} training images, chosen at random (seed {seed}), \
                 evenly over their order"
            ),
            (Shuffle::Seed(seed), Some(_)) => format!(
                "held out for validation: {held} of {count} training images, chosen at random (seed {seed}), \
                 the same share of every class"
            ),
        }
    }
}
