//! Durations and sizes as Compose writes them: `1m30s`, `64m`.

use std::time::Duration;

/// A duration: numbers with a unit, from `h` to `ns`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let (unit, after) =
            after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let unit = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let seconds = number.parse::<f64>().ok()? * unit;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = after;
    }
    Some(total)
}

/// A number of bytes, with a unit from `b` to `t` or without. A kilobyte has 1024 bytes.
pub(super) fn size(text: &str) -> Option<i64> {
    let (number, unit) = split_number(text);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1_i64 << 40,
        _ => return None,
    };
    if let Ok(number) = number.parse::<i64>() {
        return number.checked_mul(unit);
    }
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // checked
    {
        let bytes = number.parse::<f64>().ok()? * unit as f64;
        (bytes.is_finite() && bytes < i64::MAX as f64).then_some(bytes as i64)
    }
}

fn split_number(text: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_units_of_compose() {
        for (text, expected) in [
            ("1m30s", Some(Duration::from_secs(90))),
            ("1h5m30s20ms", Some(Duration::from_millis(3_930_020))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("250us", Some(Duration::from_micros(250))),
            ("0s", Some(Duration::ZERO)),
            ("10", None),
            ("", None),
            ("1d", None),
            ("-1s", None),
            ("s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn a_size_has_the_units_of_compose() {
        for (text, expected) in [
            ("64m", Some(64 << 20)),
            ("64MB", Some(64 << 20)),
            ("1.5g", Some(1536 << 20)),
            ("2 KiB", Some(2048)),
            ("300b", Some(300)),
            ("7", Some(7)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("1x", None),
            ("99999999999999999999t", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }
}
