//! Statistics of images, and warnings if they look suspicious.

use sha2::{Digest, Sha256};

/// A warning says that nearly all values are equal if one value has at least this share.
const NEARLY_ALL: f64 = 0.999;

/// Collects statistics of the images of a split, in the form in which they are stored.
pub struct Survey {
    hash: Sha256,
    values: [u64; 256],
    images: usize,
    /// The number of images with a single value.
    flat: usize,
    first: Vec<u8>,
    /// The number of images that are equal to the first one.
    repeated: usize,
}

/// The statistics of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The SHA-256 of all images.
    pub hash: [u8; 32],
    /// The highest value of all images.
    pub highest: usize,
    /// Why the images look suspicious, in words that follow "the training images".
    pub oddity: Option<String>,
}

impl Default for Survey {
    fn default() -> Survey {
        let hash = Sha256::new();
        Survey { hash, values: [0; 256], images: 0, flat: 0, first: Vec::new(), repeated: 0 }
    }
}

impl Survey {
    /// Adds an image.
    pub fn see(&mut self, pixels: &[u8]) {
        self.hash.update(pixels);
        pixels.iter().for_each(|&v| self.values[usize::from(v)] += 1);
        if self.images == 0 {
            self.first = pixels.to_vec();
        }
        let one = |first: &u8| pixels.iter().all(|v| v == first);
        self.flat += usize::from(pixels.first().is_none_or(one));
        self.repeated += usize::from(self.first == pixels);
        self.images += 1;
    }

    /// The statistics of the images so far.
    pub fn seen(self) -> Seen {
        let highest = self.values.iter().rposition(|&n| n > 0).unwrap_or(0);
        let oddity = self.oddity();
        Seen { hash: self.hash.finalize().into(), highest, oddity }
    }

    fn oddity(&self) -> Option<String> {
        let total: u64 = self.values.iter().sum();
        let most = self.values.iter().copied().max().unwrap_or(0);
        let value = self.values.iter().position(|&n| n == most).unwrap_or(0);
        let share = most as f64 / total.max(1) as f64;
        if share == 1.0 {
            return Some(format!(
                "are constant: every value is {value}. A model of them learns nothing; was the array \
                 scaled or cast wrongly?"
            ));
        }
        if share >= NEARLY_ALL {
            return Some(format!(
                "are nearly constant: {:.3} % of all values are {value}. Were they scaled or cast \
                 wrongly?",
                100.0 * share
            ));
        }
        if self.images > 1 && self.repeated == self.images {
            return Some("are all the same image".to_string());
        }
        if self.images > 1 && self.flat == self.images && self.first.len() > 1 {
            return Some("are flat: each image has one value only".to_string());
        }
        None
    }
}
