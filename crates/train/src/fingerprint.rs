//! Fingerprints of the images that a run is trained on, independent of their names.

use pixelrnn_data::{DataError, Dataset, Split};
use sha2::{Digest, Sha256};

/// The fingerprints of a data set as stored in runs of versions before [`Dataset::fingerprint`]. The first is
/// a SHA-256 over all images, split by split, with their sizes and with the labels of each split after its
/// images. The second, of still older versions, is without labels. Computing them reads all images.
/// # Errors
/// The images cannot be read.
pub fn old_fingerprints(data: &Dataset) -> Result<[String; 2], DataError> {
    let mut hashes = [Sha256::new(), Sha256::new()];
    let shape = data.shape();
    let sizes = [shape.height, shape.width, shape.colours, data.levels(), data.shared()];
    let mut both = |bytes: &[u8]| hashes.iter_mut().for_each(|hash| hash.update(bytes));
    sizes.iter().for_each(|&n| both(&(n as u64).to_le_bytes()));
    for split in Split::ALL {
        let mut both = |bytes: &[u8]| hashes.iter_mut().for_each(|hash| hash.update(bytes));
        let Ok(images) = data.images(split) else {
            both(&0u64.to_le_bytes());
            continue;
        };
        both(&((images.count() * shape.values()) as u64).to_le_bytes());
        for index in 0..images.count() {
            both(&images.image(index)?);
        }
        for label in images.labels().unwrap_or_default() {
            hashes[0].update(label.to_le_bytes());
        }
    }
    let text = |hash: Sha256| hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(hashes.map(text))
}
