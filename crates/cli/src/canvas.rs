//! A picture on which rectangles and short texts can be drawn.

use std::path::Path;

use crate::exit::Failure;

/// A color: red, green, blue.
pub type Colour = [u8; 3];

/// The width of a letter in dots, including the gap to the next one.
const ADVANCE: usize = 6;

/// An RGB picture.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    /// A picture of a single color.
    pub fn new(width: usize, height: usize, colour: Colour) -> Canvas {
        Canvas { width, height, pixels: vec![colour; width * height] }
    }

    /// Fills a rectangle. The part outside of the picture is ignored.
    pub fn fill(&mut self, [x, y]: [usize; 2], [width, height]: [usize; 2], colour: Colour) {
        let (right, bottom) = ((x + width).min(self.width), (y + height).min(self.height));
        for row in y..bottom {
            for pixel in
                self.pixels.iter_mut().take(row * self.width + right).skip(row * self.width + x)
            {
                *pixel = colour;
            }
        }
    }

    /// Writes a text. Each dot of a letter has `scale` x `scale` pixels.
    pub fn word(&mut self, [x, y]: [usize; 2], scale: usize, colour: Colour, text: &str) {
        for (i, letter) in text.chars().enumerate() {
            for (column, bits) in glyph(letter).into_iter().enumerate() {
                for row in (0..8).filter(|row| bits >> row & 1 == 1) {
                    let dot = [x + (i * ADVANCE + column) * scale, y + row * scale];
                    self.fill(dot, [scale, scale], colour);
                }
            }
        }
    }

    /// The picture as the bytes of a PNG file; `path` is for errors.
    pub fn png(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        png_bytes(self.width, self.height, self.pixels.as_flattened(), path)
    }
}

/// Encodes RGB pixels, three bytes each in row-major order, as PNG; `path` is for errors.
///
/// # Errors
/// [`Failure::Picture`] if the picture is too large or empty.
pub fn png_bytes(
    width: usize,
    height: usize,
    pixels: &[u8],
    path: &Path,
) -> Result<Vec<u8>, Failure> {
    let fail = |error| Failure::Picture { path: path.to_path_buf(), error };
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(width), side(height));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(fail)?;
    writer.write_image_data(pixels).map_err(fail)?;
    writer.finish().map_err(fail)?;
    Ok(bytes)
}

/// The width of a text in pixels.
pub fn word_width(text: &str, scale: usize) -> usize {
    (text.chars().count() * ADVANCE).saturating_sub(1) * scale
}

/// The five columns of a letter, with the top row in the lowest bit. Capitals are drawn as small
/// letters, unknown characters as blanks.
fn glyph(letter: char) -> [u8; 5] {
    let digits = [
        [0x3e, 0x51, 0x49, 0x45, 0x3e],
        [0x00, 0x42, 0x7f, 0x40, 0x00],
        [0x42, 0x61, 0x51, 0x49, 0x46],
        [0x21, 0x41, 0x45, 0x4b, 0x31],
        [0x18, 0x14, 0x12, 0x7f, 0x10],
        [0x27, 0x45, 0x45, 0x45, 0x39],
        [0x3c, 0x4a, 0x49, 0x49, 0x30],
        [0x01, 0x71, 0x09, 0x05, 0x03],
        [0x36, 0x49, 0x49, 0x49, 0x36],
        [0x06, 0x49, 0x49, 0x29, 0x1e],
    ];
    let letters = [
        [0x20, 0x54, 0x54, 0x54, 0x78],
        [0x7f, 0x48, 0x44, 0x44, 0x38],
        [0x38, 0x44, 0x44, 0x44, 0x28],
        [0x38, 0x44, 0x44, 0x48, 0x7f],
        [0x38, 0x54, 0x54, 0x54, 0x18],
        [0x00, 0x08, 0x7e, 0x09, 0x02],
        [0x18, 0xa4, 0xa4, 0xa4, 0x7c],
        [0x7f, 0x08, 0x04, 0x04, 0x78],
        [0x00, 0x44, 0x7d, 0x40, 0x00],
        [0x40, 0x80, 0x84, 0x7d, 0x00],
        [0x7f, 0x10, 0x28, 0x44, 0x00],
        [0x00, 0x41, 0x7f, 0x40, 0x00],
        [0x7c, 0x04, 0x78, 0x04, 0x78],
        [0x7c, 0x08, 0x04, 0x04, 0x78],
        [0x38, 0x44, 0x44, 0x44, 0x38],
        [0xfc, 0x24, 0x24, 0x24, 0x18],
        [0x18, 0x24, 0x24, 0x24, 0xfc],
        [0x7c, 0x08, 0x04, 0x04, 0x08],
        [0x48, 0x54, 0x54, 0x54, 0x24],
        [0x04, 0x3f, 0x44, 0x40, 0x20],
        [0x3c, 0x40, 0x40, 0x20, 0x7c],
        [0x1c, 0x20, 0x40, 0x20, 0x1c],
        [0x3c, 0x40, 0x38, 0x40, 0x3c],
        [0x44, 0x28, 0x10, 0x28, 0x44],
        [0x1c, 0xa0, 0xa0, 0xa0, 0x7c],
        [0x44, 0x64, 0x54, 0x4c, 0x44],
    ];
    let code = letter.to_ascii_lowercase() as usize;
    let found = match letter {
        '(' => Some([0x00, 0x1c, 0x22, 0x41, 0x00]),
        ')' => Some([0x00, 0x41, 0x22, 0x1c, 0x00]),
        ',' => Some([0x00, 0xa0, 0x60, 0x00, 0x00]),
        '.' => Some([0x00, 0x60, 0x60, 0x00, 0x00]),
        '-' => Some([0x08; 5]),
        '_' => Some([0x80; 5]),
        '/' => Some([0x20, 0x10, 0x08, 0x04, 0x02]),
        ':' => Some([0x00, 0x36, 0x36, 0x00, 0x00]),
        '%' => Some([0x23, 0x13, 0x08, 0x64, 0x62]),
        '0'..='9' => digits.get(code - '0' as usize).copied(),
        'a'..='z' | 'A'..='Z' => letters.get(code - 'a' as usize).copied(),
        _ => None,
    };
    found.unwrap_or([0; 5])
}
