//! Formats numbers.

/// Formats a ratio.
pub(crate) fn ratio(value: f64) -> String {
    format!("{value:.2} ×")
}

/// Formats a whole number with separators of thousands.
pub(crate) fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats an integer with separators of thousands.
pub(crate) fn thousands(number: u64) -> String {
    u32::try_from(number).map_or_else(|_| number.to_string(), |small| whole(small.into()))
}
