//! A short run of the fuzz targets: their seeds, and declarations from random bytes.

use std::fs;
use std::path::Path;

use crate::fuzz::generate::declaration;
use crate::fuzz::judge;
use crate::numbers::Numbers;

#[test]
fn the_compiler_does_not_contradict_itself() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let files = fs::read_dir(seeds).expect("the seeds").map(|file| file.expect("a seed").path());
    let seeds: Vec<String> = files.map(|path| fs::read_to_string(path).expect("a text")).collect();
    assert!(seeds.len() > 3, "the seeds are missing");
    seeds.iter().for_each(|text| judge(text));
    let mut numbers = Numbers(11);
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..64).map(|_| numbers.below(256) as u8).collect();
        judge(&declaration(&bytes));
    }
}
