//! A strict parser of Prometheus' text format.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::http::ask;

/// Returns the samples, by their names and labels as written.
pub(crate) fn scrape(address: SocketAddr) -> Samples {
    let answer = ask(address, "GET", "/metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    let of_type = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(answer.head.lines().any(|line| line == of_type), "{answer:?}");
    parse(&answer.body)
}

pub(crate) type Samples = BTreeMap<String, f64>;

/// One family: its name, its type, and its samples so far.
struct Family {
    name: String,
    kind: String,
}

/// Parses the whole text. The samples of a family must follow its HELP and TYPE, which come once.
#[track_caller]
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "{text:?}");
    let (mut help, mut family): (Option<String>, Option<Family>) = (None, None);
    let (mut samples, mut families) = (Samples::new(), Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').unwrap();
            assert!(words.ends_with('.') && help.is_none(), "{line}");
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(help.take().as_deref(), Some(name), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(!families.contains(&name.to_owned()), "{line}");
            assert!(is_name(name), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.push(name.to_owned());
            family = Some(Family { name: name.to_owned(), kind: kind.to_owned() });
        } else {
            let Family { name, kind } = family.as_ref().unwrap();
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (metric, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            let rest = metric.strip_prefix(&**name).unwrap_or_else(|| panic!("{line}"));
            let is_histogram = ["_bucket", "_sum", "_count"].contains(&rest);
            assert!(if kind == "histogram" { is_histogram } else { rest.is_empty() }, "{line}");
            check_labels(labels, line);
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(kind == "gauge" || value >= 0.0, "{line}");
            assert_eq!(samples.insert(sample.to_owned(), value), None, "{line}");
        }
    }
    assert!(help.is_none());
    check_histograms(&samples);
    samples
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// Checks labels such as `a="b",c="d"}`. No label here needs an escape.
fn check_labels(labels: &str, line: &str) {
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (name, value) = label.split_once('=').unwrap();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        assert!(is_name(name) && value.is_some_and(|value| !value.contains(['"', '\\'])), "{line}");
    }
}

/// Checks that the buckets of each histogram grow, and that the last one has all samples.
fn check_histograms(samples: &Samples) {
    let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (sample, count) in samples {
        let Some((name, labels)) = sample.split_once("_bucket{") else { continue };
        let (labels, bound) = labels.strip_suffix("\"}").unwrap().rsplit_once("le=\"").unwrap();
        let labels = labels.trim_end_matches(',');
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
        buckets.entry(format!("{name}_count{labels}")).or_default().push((bound, *count));
    }
    for (count, mut buckets) in buckets {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{count}: {buckets:?}");
        assert_eq!(buckets.last().unwrap(), &(f64::INFINITY, samples[&count]), "{count}");
        assert!(samples.contains_key(&count.replace("_count", "_sum")), "{count}");
    }
}
