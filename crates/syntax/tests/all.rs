//! All tests of the crate's face, in one binary: one link.

mod numbers;

mod check {
    mod cost;
    mod leaks;
    mod mutate;
}

mod parse {
    mod bad;
    mod good;
    mod mutate;
    mod places;
}
