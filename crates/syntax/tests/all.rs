//! All tests of the crate's public interface. One binary, so that it is linked once.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;
mod numbers;

mod check {
    mod cost;
    mod judged;
    mod leaks;
    mod mutate;
}

mod parse {
    mod bad;
    mod good;
    mod mutate;
    mod places;
}
