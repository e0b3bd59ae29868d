//! Other orders: a model that leaks in raster order may be causal from the last pixel to the first,
//! by columns, or with its colors reversed.

use crate::report::Report;

/// Maximal number of steps for the search for other orders.
const STEPS: usize = 1 << 27;

/// The orders of pixels that are tried.
const WAYS: [&str; 8] = [
    "from the first pixel to the last",
    "from the last pixel to the first",
    "by columns, from left to right",
    "by columns, from right to left",
    "by rows, each from right to left",
    "by rows, from the bottom up",
    "in a snake: every other row from right to left",
    "in a snake by columns: every other column from the bottom up",
];

/// The orders of colors that are tried, as they are appended to the order of pixels.
const COLOURS: [&str; 3] =
    ["", ", colors in reverse (`--order bgr`)", ", pixels as a whole (`--order pixel`)"];

fn place(way: usize, y: usize, x: usize, [h, w]: [usize; 2]) -> usize {
    match way {
        0 => y * w + x,
        1 => (h - 1 - y) * w + (w - 1 - x),
        2 => x * h + y,
        3 => (w - 1 - x) * h + (h - 1 - y),
        4 => y * w + (w - 1 - x),
        5 => (h - 1 - y) * w + x,
        6 => y * w + if y.is_multiple_of(2) { x } else { w - 1 - x },
        _ => x * h + if x.is_multiple_of(2) { y } else { h - 1 - y },
    }
}

/// A sentence about another order in which the model would be causal, if there is one.
pub(crate) fn hint(report: &Report) -> Option<String> {
    let colours = report.colours;
    let mut ids: Vec<u32> = report.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let size = |&id: &u32| report.sets.count_below(id, report.values());
    let total: usize = ids.iter().map(size).sum();
    if total.saturating_mul(WAYS.len()) > STEPS {
        return None;
    }
    for way in 0..WAYS.len() {
        for (k, colour) in COLOURS.iter().enumerate() {
            if colours == 1 && k > 0 || (way == 0 && k == 0) || (report.whole_pixels && k > 0) {
                continue;
            }
            if causal(report, &ids, way, k) {
                let way = WAYS.get(way).copied().unwrap_or("");
                return Some(format!("causal in another order: {way}{colour}"));
            }
        }
    }
    None
}

fn causal(report: &Report, ids: &[u32], way: usize, colour: usize) -> bool {
    let extents = [report.height, report.width];
    let n = report.colours;
    let rank = |value: usize, last: bool| {
        let p = report.position(value);
        let within = match colour {
            0 => p.colour,
            1 => n - 1 - p.colour,
            // Pixels as a whole: an input counts as the last color of its pixel, an output as the
            // first.
            _ => usize::from(last) * (n - 1),
        };
        place(way, p.row, p.column, extents) * n + within
    };
    let latest: std::collections::HashMap<u32, usize> = ids
        .iter()
        .map(|&id| {
            let runs = report.sets.runs(id);
            let ranks = runs.iter().flat_map(|&(a, b)| a..b).map(|v| rank(v, true));
            (id, ranks.max().map_or(0, |r| r + 1))
        })
        .collect();
    report.ids.iter().enumerate().all(|(output, id)| {
        let p = report.output_position(output);
        let first = if report.whole_pixels {
            place(way, p.row, p.column, extents) * n
        } else {
            rank(report.value(p), false)
        };
        latest.get(id).is_none_or(|&end| end <= first)
    })
}
