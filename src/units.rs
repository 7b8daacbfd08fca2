//! Spans of time and sizes as people write them: `90s`, `15m`, `7d`, `512MiB`.

use std::time::Duration;

/// The units of time, in seconds.
const TIMES: [(&str, f64); 5] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
];
/// The units of size, in bytes.
const SIZES: [(&str, f64); 4] = [
    ("B", 1.0),
    ("KiB", 1_024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];
/// A hundred years; what is longer is a slip of the finger.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;
/// 1 PiB.
const LARGEST: f64 = 1_125_899_906_842_624.0;

/// A span of time: a number with `ms`, `s`, `m`, `h` or `d`; a bare number is seconds.
///
/// # Errors
/// A sentence that says what would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration, such as 500ms, 90s, 15m, 12h or 7d");
    let seconds = read(text, &TIMES, "s").ok_or_else(wrong)?;
    if seconds > LONGEST {
        return Err(format!("`{text}` is longer than 100 years"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A size: a number with `B`, `KiB`, `MiB` or `GiB`; a bare number is bytes.
///
/// # Errors
/// A sentence that says what would be right.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size, such as 64KiB, 512MiB or 2GiB");
    let bytes = read(text, &SIZES, "B").ok_or_else(wrong)?;
    if bytes > LARGEST {
        return Err(format!("`{text}` is more than 1 PiB"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is neither negative nor larger than the bound above"
    )]
    Ok(bytes as u64)
}

/// A size for people, with at most one decimal.
#[must_use]
pub fn show_bytes(bytes: u64) -> String {
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

fn read(text: &str, units: &[(&str, f64)], bare: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match unit.trim_start() {
        "" => bare,
        unit => unit,
    };
    let number: f64 = number.parse().ok()?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("1.5h", 5_400.0),
            ("7d", 604_800.0),
            ("3", 3.0),
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
    fn what_means_nothing_is_refused_with_an_example() {
        for text in [
            "",
            "soon",
            "-1s",
            "5 parsecs",
            "1e3s",
            "9999999d",
            "1.2.3s",
            "é",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "5 MB", "-1", "99999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(duration("soon").expect_err("no").contains("15m"));
    }

    #[test]
    fn sizes_are_shown_short() {
        for (n, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (512 << 20, "512 MiB"),
        ] {
            assert_eq!(show_bytes(n), text);
        }
    }
}
