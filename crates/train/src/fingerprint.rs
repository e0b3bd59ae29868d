//! Which images a run is trained on, whatever they are called.

use pixelrnn_data::{Dataset, Split};
use sha2::{Digest, Sha256};

/// A SHA-256 over all images of a data set, split by split, with their sizes: the same for the same
/// images, wherever they lie.
pub fn fingerprint(data: &Dataset) -> String {
    let mut hash = Sha256::new();
    let shape = data.shape();
    let sizes = [shape.height, shape.width, shape.colours, data.levels(), data.shared()];
    sizes.iter().for_each(|&n| hash.update((n as u64).to_le_bytes()));
    for split in Split::ALL {
        let pixels = data.images(split).map_or(&[][..], |images| images.pixels());
        hash.update((pixels.len() as u64).to_le_bytes());
        hash.update(pixels);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
