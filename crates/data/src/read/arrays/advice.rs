//! Advice for arrays whose values are not levels, depending on the values.

/// Statistics of the values of an array.
#[derive(Debug, Default)]
pub struct Seen {
    low: f64,
    high: f64,
    fractions: bool,
    not_finite: bool,
    any: bool,
}

impl Seen {
    /// Adds values to the statistics.
    pub fn see(&mut self, values: impl Iterator<Item = f64>) {
        for value in values {
            if !value.is_finite() {
                self.not_finite = true;
                continue;
            }
            let (low, high) = if self.any { (self.low, self.high) } else { (value, value) };
            (self.low, self.high, self.any) = (low.min(value), high.max(value), true);
            self.fractions |= value.fract() != 0.0;
        }
    }

    /// What the values look like and how to convert them, to follow "holds values of type ...".
    pub fn advice(&self) -> String {
        let (low, high) = (self.low, self.high);
        let (l, h) = (short(low), short(high));
        let save = |what: &str| format!("in NumPy: `a = {what}.astype('uint8')`");
        if self.not_finite {
            return "some of them NaN or infinite: find out where these come from before training on \
                    them"
                .to_string();
        }
        let span = format!("from {l} to {h}");
        let (range, line) = match () {
            _ if self.fractions && low >= 0.0 && high <= 1.0 => ("0:1", "(a * 255).round()"),
            _ if self.fractions && low >= -1.0 && high <= 1.0 && (low < -0.5 || high > 0.5) => {
                ("-1:1", "((a + 1) * 127.5).round()")
            }
            _ if self.fractions && low >= -0.5 && high <= 0.5 => {
                ("-0.5:0.5", "((a + 0.5) * 255).round()")
            }
            _ if self.fractions && low >= 0.0 && high <= 255.0 => ("0:255", "a.round()"),
            _ if low >= 0.0 && high <= 1023.0 && !self.fractions => {
                ("0:1023", "(a / 1023 * 255).round()")
            }
            _ if low >= 0.0 && high <= 4095.0 && !self.fractions => {
                ("0:4095", "(a / 4095 * 255).round()")
            }
            _ if low >= 0.0 && high <= 65535.0 => ("0:65535", "(a / 257).round()"),
            _ if !self.fractions && low >= -1.0 && high <= 1.0 => {
                ("-1:1", "((a + 1) * 127.5).round()")
            }
            _ if !self.fractions && low >= -128.0 && high <= 127.0 => ("-128:127", "(a + 128)"),
            _ => {
                return format!(
                    "{span}, as after subtracting a mean and dividing by a standard deviation: save \
                     the images from before that as u8, or name the ends with `,range=LOW:HIGH`"
                );
            }
        };
        format!("{span}: add `,range={range}`, or {}", save(line))
    }
}

/// A number with as few digits as a reader needs.
fn short(x: f64) -> String {
    let rounded = (x * 1e4).round() / 1e4;
    if rounded == 0.0 && x != 0.0 { format!("{x:.1e}") } else { rounded.to_string() }
}
