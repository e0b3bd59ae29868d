//! Which images a run is trained on, whatever they are called.

use pixelrnn_data::{DataError, Dataset, Split};
use sha2::{Digest, Sha256};

/// A SHA-256 over all images of a data set and their labels, split by split, with their sizes: the
/// same for the same images, wherever they lie.
///
/// # Errors
/// The images cannot be read.
pub fn fingerprint(data: &Dataset) -> Result<String, DataError> {
    hash(data, true)
}

/// The [`fingerprint`] of runs that were begun before labels were read.
///
/// # Errors
/// The images cannot be read.
pub fn fingerprint_without_labels(data: &Dataset) -> Result<String, DataError> {
    hash(data, false)
}

fn hash(data: &Dataset, with_labels: bool) -> Result<String, DataError> {
    let mut hash = Sha256::new();
    let shape = data.shape();
    let sizes = [shape.height, shape.width, shape.colours, data.levels(), data.shared()];
    sizes.iter().for_each(|&n| hash.update((n as u64).to_le_bytes()));
    for split in Split::ALL {
        let Ok(images) = data.images(split) else {
            hash.update(0u64.to_le_bytes());
            continue;
        };
        hash.update(((images.count() * shape.values()) as u64).to_le_bytes());
        for index in 0..images.count() {
            hash.update(images.image(index)?);
        }
        for label in images.labels().filter(|_| with_labels).unwrap_or_default() {
            hash.update(label.to_le_bytes());
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
