//! Files from outside the repo, named in `PIXELRNN_ONNX_FILES` (separated by commas): prints what
//! they read and how long that took. `PIXELRNN_ONNX_DUMP` names a folder for the sets.

use std::time::Instant;

use pixelrnn_check::{Options, analyse, condense, trace};

#[test]
#[ignore = "reads files named in the environment"]
fn foreign_files() {
    let list = std::env::var("PIXELRNN_ONNX_FILES").expect("PIXELRNN_ONNX_FILES");
    for file in list.split(',') {
        let bytes = std::fs::read(file).expect(file);
        let begin = Instant::now();
        let d = match analyse(&bytes, &Options::default()) {
            Ok(d) => d,
            Err(e) => {
                println!("{file}: {e}");
                continue;
            }
        };
        let took = begin.elapsed();
        let n = d.sets.rows();
        let leaks: Vec<(usize, usize)> =
            (0..n).filter_map(|r| Some((r, d.sets.first_from(r, r)?))).collect();
        let seen: usize = (0..n).map(|r| d.sets.count_below(r, r)).sum();
        println!(
            "{file}: {}x{}x{} levels {} layout {}, {} nodes, {} parameters, {} sets, {} leaks, \
             blind {:.1} %, {took:?}",
            d.colours,
            d.height,
            d.width,
            d.levels,
            d.output_layout,
            d.nodes,
            d.parameters,
            d.distinct_sets,
            leaks.len(),
            100.0 * (1.0 - seen as f64 / (n * (n - 1) / 2) as f64),
        );
        if let Ok(folder) = std::env::var("PIXELRNN_ONNX_DUMP") {
            let text: String = (0..n)
                .map(|r| {
                    (0..n).map(|c| if d.sets.get(r, c) { '1' } else { '0' }).collect::<String>()
                        + "\n"
                })
                .collect();
            let name = file.rsplit('/').next().unwrap_or(file);
            std::fs::write(format!("{folder}/{name}.txt"), text).expect("write");
        }
        // The longest way back: from the last output to the first input it reads.
        let last = n - 1;
        let first = leaks.first().copied().or_else(|| Some((last, d.sets.first_from(last, 0)?)));
        if let Some((row, column)) = first {
            let begin = Instant::now();
            let hops = trace(&bytes, &Options::default(), d.position(row), d.position(column));
            let hops = hops.expect("a way");
            println!("  {} hops, {:?}", hops.len(), begin.elapsed());
            for hop in condense(&hops, 12) {
                println!("  {hop}");
            }
        }
    }
}
