//! Compares random networks with a simple reference: booleans pushed through nested loops.

use super::build::{Net, reads};

/// A small generator of reproducible coin flips.
struct Coins(u64);

impl Coins {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }
}

const H: usize = 5;
const W: usize = 4;

/// What each position of each channel depends on, as lists of flags.
type Maps = Vec<Vec<Vec<bool>>>;

fn convolve(x: &Maps, live: &[Vec<[[bool; 3]; 3]>]) -> Maps {
    live.iter()
        .map(|filters| {
            (0..H * W)
                .map(|p| {
                    let mut seen = vec![false; x[0][0].len()];
                    for (channel, taps) in x.iter().zip(filters) {
                        for (i, row) in taps.iter().enumerate() {
                            for (j, &on) in row.iter().enumerate() {
                                let (y, c) =
                                    ((p / W + i).wrapping_sub(1), (p % W + j).wrapping_sub(1));
                                if on && y < H && c < W {
                                    for (s, t) in seen.iter_mut().zip(&channel[y * W + c]) {
                                        *s |= t;
                                    }
                                }
                            }
                        }
                    }
                    seen
                })
                .collect()
        })
        .collect()
}

#[test]
fn random_convolutions_agree_with_nested_loops() {
    let mut coins = Coins(7);
    for _ in 0..20 {
        let mut net = Net::image(2, H as i64, W as i64);
        let mut maps: Maps = (0..2)
            .map(|c| {
                let own = |p: usize| (0..H * W * 2).map(|k| k == p * 2 + c).collect();
                (0..H * W).map(own).collect()
            })
            .collect();
        let mut value = "x".to_string();
        let mut ins = 2;
        for outs in [3, 4, 2] {
            let live: Vec<Vec<[[bool; 3]; 3]>> = (0..outs)
                .map(|_| {
                    let taps = |coins: &mut Coins| {
                        [(); 3].map(|_| [(); 3].map(|_| coins.next().is_multiple_of(6)))
                    };
                    (0..ins).map(|_| taps(&mut coins)).collect()
                })
                .collect();
            value = net.conv(&value, [outs, ins, 3], |o, i, y, x| live[o][i][y][x]);
            value = net.node("Sigmoid", &[&value], &[]);
            maps = convolve(&maps, &live);
            ins = outs;
        }
        let d = net.check(&value);
        for (c, map) in maps.iter().enumerate() {
            for (p, seen) in map.iter().enumerate() {
                let expected: Vec<usize> = (0..seen.len()).filter(|&k| seen[k]).collect();
                assert_eq!(reads(&d, p * 2 + c), expected);
            }
        }
    }
}
