//! The loops taken apart.
