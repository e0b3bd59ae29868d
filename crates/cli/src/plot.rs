//! Line plots as PNG or SVG, with ticks at round numbers and an embedded font.

use std::ops::Range;
use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::canvas::png_bytes;
use crate::exit::{Failure, usage};

/// Width and height in pixels.
const SIZE: (u32, u32) = (900, 500);
/// DejaVu Sans, reduced to Latin letters, digits and symbols. Its license is in the same folder.
const FONT: &[u8] = include_bytes!("../assets/font/DejaVuSans-latin.ttf");
const FAMILY: &str = "sans-serif";

const INK: RGBColor = RGBColor(0x1b, 0x1f, 0x24);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
/// The colors of lines, in order. Most people with a color vision deficiency can distinguish them,
/// too.
const COLORS: [RGBColor; 8] = [
    RGBColor(0x2f, 0x6d, 0xb5),
    RGBColor(0xd9, 0x6a, 0x12),
    RGBColor(0x1f, 0x8a, 0x5b),
    RGBColor(0xb0, 0x3a, 0x6f),
    RGBColor(0x6a, 0x4c, 0xa5),
    RGBColor(0x8a, 0x6d, 0x1d),
    RGBColor(0x1b, 0x8f, 0xa8),
    RGBColor(0x5f, 0x67, 0x70),
];
/// The color of a line in the background.
const FAINT: RGBColor = RGBColor(0x9a, 0xa1, 0xab);

/// The format of a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    Svg,
}

impl Format {
    /// The format for a file name, by its extension.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it is neither `.png` nor `.svg`.
    pub fn of(path: &Path) -> Result<Format, Failure> {
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("png") => Ok(Format::Png),
            Some("svg") => Ok(Format::Svg),
            _ => usage(format!("{}: the name must end in .png or .svg", path.display())),
        }
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A thin line in gray.
    Background,
    /// A thin, pale line in the color with this index.
    Pale(usize),
    /// A line in the color with this index, with a dot at each point.
    Dotted(usize),
    /// A line in the color with this index.
    Solid(usize),
}

/// A line of a plot.
#[derive(Clone, Debug)]
pub struct Line {
    /// The entry in the legend; no entry if it is empty.
    pub label: String,
    pub style: Style,
    /// The points from left to right.
    pub points: Vec<(f64, f64)>,
}

/// An axis: its label, the range that is shown, and whether the scale is logarithmic.
#[derive(Clone, Debug)]
pub struct Axis {
    pub label: String,
    pub range: [f64; 2],
    pub log: bool,
}

/// A line plot. Points above or below the range of `y` are drawn at its edge.
#[derive(Clone, Debug)]
pub struct Plot {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
    /// The x coordinate of a vertical line.
    pub mark: Option<f64>,
}

impl Plot {
    /// The plot as the bytes of a file; `path` is for errors.
    ///
    /// # Errors
    /// [`Failure::Plot`] if it cannot be drawn or encoded.
    pub fn render(&self, format: Format, path: &Path) -> Result<Vec<u8>, Failure> {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // The font is a constant, and tests draw with it, so this cannot fail.
            let _ = register_font(FAMILY, FontStyle::Normal, FONT);
        });
        let fail = |reason: String| Failure::Plot { path: path.to_path_buf(), reason };
        match format {
            Format::Svg => {
                let mut text = String::new();
                let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
                self.draw(&area).map_err(fail)?;
                drop(area);
                Ok(text.into_bytes())
            }
            Format::Png => {
                let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
                let mut pixels = vec![0; width * height * 3];
                let area = BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area();
                self.draw(&area).map_err(fail)?;
                drop(area);
                png_bytes(width, height, &pixels, path)
            }
        }
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), String> {
        let text = |e: DrawingAreaErrorKind<B::ErrorType>| e.to_string();
        area.fill(&WHITE).map_err(text)?;
        let font = |size: i32| (FAMILY, size).into_font().color(&INK);
        let (x, y) = (self.x.shown(), self.y.shown());
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .caption(&self.title, font(18))
            .x_label_area_size(46)
            .y_label_area_size(72)
            .build_cartesian_2d(
                Ticked { range: x, ticks: self.x.ticks() },
                Ticked { range: y, ticks: self.y.ticks() },
            )
            .map_err(text)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(font(14))
            .label_style(font(13))
            .x_label_formatter(&|v| self.x.name(*v))
            .y_label_formatter(&|v| self.y.name(*v))
            .draw()
            .map_err(text)?;
        if let Some(mark) = self.mark.map(|v| self.x.place(v)) {
            let line = [(mark, y[0]), (mark, y[1])];
            chart.draw_series(LineSeries::new(line, INK.mix(0.5))).map_err(text)?;
            let style = font(13).pos(Pos::new(HPos::Left, VPos::Top));
            let label = Text::new(format!("  {:.1e}", self.mark.unwrap_or(0.0)), line[1], style);
            chart.draw_series([label]).map_err(text)?;
        }
        let mut legend = false;
        for line in &self.lines {
            let points: Vec<(f64, f64)> = entering(&line.points, self.y.range[1])
                .into_iter()
                .map(|p| (self.x.place(p.0), self.y.place(p.1)))
                .collect();
            let style = line.style.shape();
            let drawn =
                chart.draw_series(LineSeries::new(points.iter().copied(), style)).map_err(text)?;
            if !line.label.is_empty() {
                legend = true;
                drawn.label(&line.label).legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 22, y)], style.stroke_width(2))
                });
            }
            if matches!(line.style, Style::Dotted(_)) {
                let dots = points.into_iter().map(|p| Circle::new(p, 3, style.filled()));
                chart.draw_series(dots).map_err(text)?;
            }
        }
        if legend {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .background_style(WHITE.mix(0.85))
                .border_style(GRID)
                .label_font(font(13))
                .draw()
                .map_err(text)?;
        }
        area.present().map_err(text)
    }
}

/// An axis for the drawing library, with ticks at given positions.
struct Ticked {
    range: [f64; 2],
    ticks: Vec<f64>,
}

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let [low, high] = self.range;
        let share = (value - low) / (high - low).max(f64::MIN_POSITIVE);
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range[0]..self.range[1]
    }
}

impl Style {
    fn shape(self) -> ShapeStyle {
        let color = |n: usize| COLORS[n % COLORS.len()];
        match self {
            Style::Background => FAINT.stroke_width(1),
            Style::Pale(n) => color(n).mix(0.35).stroke_width(1),
            Style::Dotted(n) | Style::Solid(n) => color(n).stroke_width(2),
        }
    }
}

impl Axis {
    /// The coordinate of a value on the axis: clamped to the range, and its logarithm on a
    /// logarithmic scale.
    fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.range[0], self.range[1]);
        if self.log { value.log10() } else { value }
    }

    fn shown(&self) -> [f64; 2] {
        self.range.map(|value| self.place(value))
    }

    /// The coordinates of the ticks.
    fn ticks(&self) -> Vec<f64> {
        let [low, high] = self.range;
        match self.log {
            true => log_ticks(low, high).into_iter().map(f64::log10).collect(),
            false => round_ticks(low, high),
        }
    }

    /// The label of the tick at a coordinate.
    fn name(&self, place: f64) -> String {
        let [low, high] = self.range;
        match self.log {
            true => {
                let value = 10f64.powf(place);
                if low < 1e-3 || high >= 1e5 {
                    return format!("{value:.0e}");
                }
                // The shortest text for the number: ticks are round.
                format!("{value:.3e}").parse::<f64>().unwrap_or(value).to_string()
            }
            false => {
                let step = round_step(low, high);
                let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
                // A step of 2.5 needs one more decimal.
                let extra = usize::from((step * 10f64.powi(decimals as i32)).fract() > 1e-6);
                format!("{place:.*}", decimals + extra)
            }
        }
    }
}

/// The finite points of a line, from the first one that is at most `top`. Later points above `top`
/// are kept.
fn entering(points: &[(f64, f64)], top: f64) -> Vec<(f64, f64)> {
    let finite = points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite());
    let finite: Vec<(f64, f64)> = finite.collect();
    match finite.iter().position(|p| p.1 <= top) {
        Some(first) if first > 0 => {
            let [(x0, y0), (x1, y1)] = [finite[first - 1], finite[first]];
            let crossing = (x0 + (x1 - x0) * (y0 - top) / (y0 - y1), top);
            std::iter::once(crossing).chain(finite[first..].iter().copied()).collect()
        }
        _ => finite,
    }
}

/// The number of intervals between ticks to aim for.
const INTERVALS: f64 = 7.0;

/// The distance between ticks: 1, 2, 2.5 or 5 times a power of ten.
fn round_step(low: f64, high: f64) -> f64 {
    let rough = ((high - low) / INTERVALS).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= rough)
        .unwrap_or(10.0 * power)
}

fn round_ticks(low: f64, high: f64) -> Vec<f64> {
    let step = round_step(low, high);
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    (0..=(last - first).max(0.0) as usize).map(|i| (first + i as f64) * step).collect()
}

/// Powers of ten, and multiples of them if there are few.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    if decades < 0.7 {
        return round_ticks(low, high);
    }
    let multiples: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let all = powers.flat_map(|p| multiples.iter().map(move |m| m * 10f64.powi(p)));
    all.filter(|v| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(v)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(round_ticks(0.0, 1200.0), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0]);
        assert_eq!(round_ticks(79.3, 84.0), [80.0, 81.0, 82.0, 83.0, 84.0]);
        assert_eq!(log_ticks(1e-5, 1.0).len(), 6);
        assert_eq!(log_ticks(50.0, 1000.0), [50.0, 100.0, 200.0, 500.0, 1000.0]);
        // Within a small range, a logarithmic scale has the same ticks as a linear one.
        assert!(log_ticks(80.0, 90.0).len() >= 4);
        let axis = |range, log| Axis { label: String::new(), range, log };
        assert_eq!(axis([79.3, 80.9], false).name(79.75), "79.75");
        assert_eq!(axis([0.0, 1200.0], false).name(400.0), "400");
        assert_eq!(axis([1e-5, 1.0], true).name(-5.0), "1e-5");
        assert_eq!(axis([1.0, 100.0], true).name(2f64.log10()), "2");
    }

    #[test]
    fn a_line_enters_at_the_top() {
        let line = [(0.0, 30.0), (1.0, 20.0), (2.0, 10.0), (3.0, 40.0), (4.0, f64::NAN)];
        assert_eq!(entering(&line, 15.0), [(1.5, 15.0), (2.0, 10.0), (3.0, 40.0)]);
        assert_eq!(entering(&line, 50.0).len(), 4);
        assert_eq!(entering(&[], 1.0), []);
    }

    #[test]
    fn both_formats_have_lines_and_words() {
        let axis = |label: &str, range| Axis { label: label.to_string(), range, log: false };
        let points = vec![(0.0, 1.0), (5.0, f64::NAN), (10.0, 99.0)];
        let line = Line { label: "a <run>".to_string(), style: Style::Dotted(1), points };
        let mut plot = Plot {
            title: "title".to_string(),
            x: axis("steps", [0.0, 10.0]),
            y: axis("loss", [0.0, 2.0]),
            lines: vec![line],
            mark: Some(3.0),
        };
        let render = |plot: &Plot, format| plot.render(format, Path::new("p")).expect("a picture");
        let svg = String::from_utf8(render(&plot, Format::Svg)).expect("text");
        assert!(svg.contains("a &lt;run&gt;") && svg.contains("steps"), "{svg}");
        let png = render(&plot, Format::Png);
        assert_eq!(&png[..4], b"\x89PNG");
        plot.lines.clear();
        assert_ne!(render(&plot, Format::Png), png);
        plot.title = "titles".to_string();
        assert_ne!(render(&plot, Format::Png), png, "letters are drawn");
        assert!(Format::of(Path::new("a.SVG")).is_ok() && Format::of(Path::new("a.gif")).is_err());
    }
}
