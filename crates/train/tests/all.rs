//! Tests of the training loop with the reference interpreter. They need no engine, and no files except those
//! that they write.

mod all {
    mod checkpoints;
    mod common;
    mod figures;
    mod resume;
    mod trouble;
}
