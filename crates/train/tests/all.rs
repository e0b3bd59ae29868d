//! Tests of the training loop, on the reference interpreter: no engine is needed, and no file but
//! those a test writes.

mod all {
    mod checkpoints;
    mod common;
    mod figures;
    mod resume;
    mod trouble;
}
