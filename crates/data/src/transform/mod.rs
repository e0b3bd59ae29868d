//! Transformations of images that options ask for.

mod binarize;
mod geometry;
mod levels;
mod shrink;

pub use binarize::draw;
pub use geometry::Geometry;
pub use levels::table;
