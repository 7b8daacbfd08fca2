//! Durations and sizes as people write them: `90s`, `1h30m`, `7d`, `512MiB`.

use std::time::Duration;

use jiff::{SpanRelativeTo, fmt::friendly::SpanParser};

use crate::cause::Cause;

/// The units of size, in bytes.
const SIZES: [(&str, f64); 4] = [
    ("B", 1.0),
    ("KiB", 1_024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];
/// The longest duration: 100 years of 365 days.
const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 86_400);
/// The largest size in bytes: 1 PiB.
const MAX_SIZE: f64 = 1_125_899_906_842_624.0;

/// Parses a duration such as `90s`, `1h30m` or `2 days`, with days of 24 hours. A number without a unit is seconds.
///
/// # Errors
/// A sentence with examples of what is valid.
pub fn duration(text: &str) -> Result<Duration, Cause> {
    let error = |error: jiff::Error| {
        let expected = "is not a duration, such as 500ms, 90s, 1h30m, 2 days or 7d";
        Cause::described(format!("`{text}` {expected}"), error)
    };
    let text = text.trim();
    let unit = if text.ends_with(|c: char| c.is_ascii_digit()) {
        "s"
    } else {
        ""
    };
    let span = SpanParser::new().parse_span(format!("{text}{unit}"));
    let duration = span
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .and_then(Duration::try_from)
        .map_err(error)?;
    if duration > MAX_DURATION {
        let message = format!("`{text}` is longer than 100 years");
        return Err(Cause::from_message(message));
    }
    Ok(duration)
}

/// Parses a size such as `64KiB`: a number with `B`, `KiB`, `MiB` or `GiB`. A number without a unit is bytes.
///
/// # Errors
/// A sentence with examples of what is valid.
pub fn bytes(text: &str) -> Result<u64, Cause> {
    let expected = || format!("`{text}` is not a size, such as 64KiB, 512MiB or 2GiB");
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match unit.trim_start() {
        "" => "B",
        unit => unit,
    };
    let size = SIZES.iter().find(|(name, _)| *name == unit);
    let (_, factor) = size.ok_or_else(|| Cause::from_message(expected()))?;
    let number: f64 = number
        .parse()
        .map_err(|error| Cause::described(expected(), error))?;
    let bytes = number * factor;
    if bytes > MAX_SIZE {
        return Err(Cause::from_message(format!("`{text}` is more than 1 PiB")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is neither negative nor larger than the bound above"
    )]
    Ok(bytes as u64)
}

/// Formats a size with at most one decimal.
#[must_use]
pub fn fmt_bytes(bytes: u64) -> String {
    let (unit, factor) = SIZES
        .into_iter()
        .rev()
        .find(|(_, factor)| bytes as f64 >= *factor)
        .unwrap_or(("B", 1.0));
    let amount = bytes as f64 / factor;
    if amount >= 10.0 || amount.fract() < 0.05 {
        format!("{amount:.0} {unit}")
    } else {
        format!("{amount:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_parsed() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("1.5h", 5_400.0),
            ("7d", 604_800.0),
            ("3", 3.0),
            ("0.5", 0.5),
            ("1h30m", 5_400.0),
            ("1h 30m", 5_400.0),
            ("2 days", 172_800.0),
            ("1w", 604_800.0),
            ("36500d", 3_153_600_000.0),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        assert_eq!(duration("250 ms"), Ok(Duration::from_millis(250)));
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(bytes("1.5 KiB"), Ok(1_536));
        assert_eq!(bytes("77"), Ok(77));
    }

    #[test]
    fn invalid_text_is_rejected_with_an_example() {
        for text in [
            "",
            "soon",
            "-1s",
            "5 parsecs",
            "1e3s",
            "9999999d",
            "36501d",
            "1s ago",
            "1 month",
            "inf",
            "1.2.3s",
            "é",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "5 MB", "-1", "99999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(
            duration("soon")
                .expect_err("no")
                .to_string()
                .contains("1h30m")
        );
    }

    #[test]
    fn sizes_are_formatted_short() {
        for (n, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (512 << 20, "512 MiB"),
        ] {
            assert_eq!(fmt_bytes(n), text);
        }
    }
}
