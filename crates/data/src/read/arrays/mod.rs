//! `npy` and `npz`: NumPy arrays.

mod advice;
mod elements;
mod keys;
mod layout;
mod npy;
mod npz;

pub use keys::SPLITS;
pub use layout::{Layout, layout, planes_to_pixels};
pub use npy::{numbers, read as npy};
pub use npz::read as npz;
