//! Which images a run is trained on, whatever they are called.

use std::fmt::Write;

use pixelrnn_data::{DataError, Dataset, Split};
use sha2::{Digest, Sha256};

/// The fingerprint of a data set as runs noted it that were begun before
/// [`Dataset::fingerprint`]: a SHA-256 over all images, split by split, with their sizes. It reads
/// all images.
///
/// # Errors
/// The images cannot be read.
pub fn old_fingerprint(data: &Dataset) -> Result<String, DataError> {
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
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
