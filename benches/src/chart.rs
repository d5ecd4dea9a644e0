//! Charts of curves, as SVG.

use anyhow::{Result, anyhow};
use plotters::coord::combinators::IntoLogRange as _;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use std::fs;
use std::path::Path;

/// A chart of one or more curves. The x axis is logarithmic.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The name of the file.
    pub name: &'static str,
    /// The title.
    pub title: &'static str,
    /// The labels of the x axis and the y axis.
    pub axes: (&'static str, &'static str),
    /// Whether the y axis is logarithmic too. If not, it starts at zero.
    pub is_log: bool,
    /// The curves: name and points.
    pub curves: Vec<(&'static str, Vec<(f64, f64)>)>,
}

const COLORS: [RGBColor; 4] =
    [RGBColor(0, 90, 160), RGBColor(200, 80, 0), RGBColor(0, 130, 80), RGBColor(130, 60, 150)];

impl Chart {
    /// Draws the chart as SVG into this directory.
    pub(crate) fn draw(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        let path = directory.join(self.name).with_extension("svg");
        let area = SVGBackend::new(&path, (760, 440)).into_drawing_area();
        let drawn = area.fill(&WHITE).and_then(|()| {
            let mut builder = ChartBuilder::on(&area);
            builder
                .caption(self.title, ("sans-serif", 20))
                .margin(16)
                .x_label_area_size(48)
                .y_label_area_size(84);
            let (along, up) = (self.along(), self.up());
            if self.is_log {
                let up = self.lowest() / 1.5..up;
                self.fill(builder.build_cartesian_2d(along.log_scale(), up.log_scale())?)
            } else {
                self.fill(builder.build_cartesian_2d(along.log_scale(), 0.0..up)?)
            }
        });
        drawn.and_then(|()| area.present()).map_err(|error| anyhow!("{}: {error}", self.name))
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.curves.iter().flat_map(|(_, points)| points)
    }

    fn along(&self) -> std::ops::Range<f64> {
        let low = self.points().map(|point| point.0).fold(f64::MAX, f64::min);
        let high = self.points().map(|point| point.0).fold(1.0, f64::max);
        low / 1.2..high * 1.2
    }

    fn up(&self) -> f64 {
        self.points().map(|point| point.1).fold(0.0, f64::max) * 1.3
    }

    fn lowest(&self) -> f64 {
        self.points().map(|point| point.1).fold(f64::MAX, f64::min)
    }

    /// Draws the axes and the curves.
    fn fill<'a, B, X, Y>(&self, mut chart: ChartContext<'a, B, Cartesian2d<X, Y>>) -> Drawn<B>
    where
        B: DrawingBackend + 'a,
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let number = |value: &f64| crate::text::whole(*value);
        chart
            .configure_mesh()
            .x_desc(self.axes.0)
            .y_desc(self.axes.1)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .x_labels(8)
            .y_labels(8)
            .label_style(("sans-serif", 14))
            .light_line_style(BLACK.mix(0.06))
            .draw()?;
        for ((name, points), color) in self.curves.iter().zip(COLORS) {
            chart
                .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)).point_size(4))?
                .label(*name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2))
                });
        }
        if self.curves.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK.mix(0.3))
                .label_font(("sans-serif", 14))
                .draw()?;
        }
        Ok(())
    }
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
