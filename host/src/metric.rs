//! What is counted, as families of samples, and the text format that Prometheus and OpenMetrics readers take. Pure; knows
//! nothing of who counts, nor of who asks.

pub mod catalog;
pub mod count;
pub mod histogram;
#[cfg(test)]
mod tests;

use histogram::Spread;
use std::fmt::Write as _;
use std::time::Duration;

/// What the text is, as HTTP says it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric with all of its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name: it ends with its unit, and then with `_total` when it only grows.
    pub name: &'static str,
    /// How it is to be read.
    pub kind: Kind,
    /// What it says, for people.
    pub help: &'static str,
    /// Its samples, each with other labels.
    pub samples: Vec<Sample>,
}

/// How a metric is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and begins anew with the host or the store.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How often something took how long.
    Histogram,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values of its labels.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: Value,
}

/// The value of a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number: how many, or how many bytes.
    Number(u64),
    /// A time, or one since the Unix epoch; said in seconds.
    Time(Duration),
    /// The buckets of a histogram of times.
    Spread(Spread),
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// All of them as text: each family with what it is, even one without samples.
#[must_use]
pub fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, kind, help, samples } in families {
        line(&mut text, format_args!("# HELP {name} {help}"));
        line(&mut text, format_args!("# TYPE {name} {}", kind.word()));
        for Sample { labels, value } in samples {
            match value {
                Value::Number(number) => line(&mut text, format_args!("{name}{} {number}", written(labels))),
                Value::Time(time) => {
                    line(&mut text, format_args!("{name}{} {}", written(labels), time.as_secs_f64()));
                }
                Value::Spread(spread) => buckets(&mut text, name, labels, spread),
            }
        }
    }
    text
}

fn buckets(text: &mut String, name: &str, labels: &[(&'static str, String)], spread: &Spread) {
    for (until, count) in spread.up_to() {
        let until = until.map_or_else(|| "+Inf".to_owned(), |until| until.as_secs_f64().to_string());
        let labels = [labels, &[("le", until)]].concat();
        line(text, format_args!("{name}_bucket{} {count}", written(&labels)));
    }
    let labels = written(labels);
    line(text, format_args!("{name}_sum{labels} {}", spread.sum.as_secs_f64()));
    line(text, format_args!("{name}_count{labels} {}", spread.count()));
}

/// Labels between their braces; nothing when there are none.
fn written(labels: &[(&'static str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        let before = if text.is_empty() { '{' } else { ',' };
        // To a string, writing does not fail.
        let _ = write!(text, "{before}{name}=\"{value}\"");
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // To a string, writing does not fail.
    let _ = writeln!(text, "{line}");
}
