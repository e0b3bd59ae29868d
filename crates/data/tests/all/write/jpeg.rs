//! JPEGs whose 8 x 8 blocks have a constant value each, so that they are lossless.

/// A bit stream. A zero byte follows every `ff`.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, width: u32) {
        for at in (0..width).rev() {
            self.held = self.held << 1 | (value >> at & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.held as u8);
                if self.held as u8 == 0xff {
                    self.bytes.push(0);
                }
                (self.held, self.count) = (0, 0);
            }
        }
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xff, marker]);
    out.extend((body.len() as u16 + 2).to_be_bytes());
    out.extend(body);
}

/// A baseline JPEG; `blocks[row][column]` has a value for each component (Y, or Y, Cb, Cr).
pub fn jpeg(blocks: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let (rows, columns) = (blocks.len() as u16, blocks[0].len() as u16);
    let components = blocks[0][0].len() as u8;
    let mut out = vec![0xff, 0xd8];
    // A quantization step of 8 for all coefficients: the first coefficient is then the mean itself.
    segment(&mut out, 0xdb, &[&[0][..], &[8; 64]].concat());
    let mut frame = vec![8];
    frame.extend((rows * 8).to_be_bytes());
    frame.extend((columns * 8).to_be_bytes());
    frame.push(components);
    frame.extend((1..=components).flat_map(|id| [id, 0x11, 0]));
    segment(&mut out, 0xc0, &frame);
    // Huffman codes. Means: twelve sizes with four bits each. Other coefficients: a single symbol,
    // end of block, with the code `0`.
    let means: Vec<u8> = (0..12).collect();
    segment(&mut out, 0xc4, &[&[0, 0, 0, 0, 12][..], &[0; 12], &means].concat());
    segment(&mut out, 0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
    let mut scan = vec![components];
    scan.extend((1..=components).flat_map(|id| [id, 0]));
    scan.extend([0, 63, 0]);
    segment(&mut out, 0xda, &scan);
    let mut bits = Bits::default();
    let mut before = vec![128i32; components as usize];
    for block in blocks.iter().flatten() {
        for (value, before) in block.iter().zip(&mut before) {
            let step = i32::from(*value) - std::mem::replace(before, i32::from(*value));
            let width = 32 - step.unsigned_abs().leading_zeros();
            bits.put(width, 4);
            let code = if step < 0 { step + (1 << width) - 1 } else { step };
            bits.put(code as u32, width);
            bits.put(0, 1);
        }
    }
    bits.put(0x7f, 7);
    out.extend(bits.bytes);
    out.extend([0xff, 0xd9]);
    out
}
