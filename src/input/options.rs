//! How a task is to be run, as a person types it behind the task: `key:acme serial priority:9 in:30s`.

use std::time::Duration;

use crate::{
    input::suggest::nearest,
    queue::task::{Key, KeyPolicy, MAX_ATTEMPTS, MAX_PRIORITY, TaskOptions, Timestamp},
    units,
};

/// What is wrong, and at which character of the line it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) at: usize,
    pub(crate) why: String,
}

/// How a task is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OptionWords {
    pub(crate) options: TaskOptions,
    /// How many attempts of an addition are to fail first.
    pub(crate) fails: Option<u8>,
}

/// The words that take something behind a colon.
const WORDS: [&str; 11] = [
    "key", "queue", "priority", "in", "at", "expires", "attempts", "limit", "soft", "keep", "fails",
];
/// The words that stand alone; they say what the key does.
const RULES: [&str; 2] = ["unique", "serial"];

/// Whether a word could be the first of them.
pub(crate) fn begins(word: &str) -> bool {
    let name = word.split(':').next().unwrap_or_default();
    word.contains(':') || RULES.contains(&name)
}

/// Reads what stands behind a task.
pub(crate) fn parse(text: &str, now: &jiff::Zoned) -> Result<OptionWords, ParseError> {
    let mut wishes = OptionWords::default();
    let mut rule = None;
    for (at, word) in words(text) {
        let wrong = |why| ParseError { at, why };
        match word.split_once(':') {
            Some((name, value)) if WORDS.contains(&name) => {
                wish(&mut wishes, name, value, now).map_err(wrong)?;
            }
            None if RULES.contains(&word) => {
                rule = word.parse::<KeyPolicy>().ok().map(|rule| (at, rule));
            }
            Some((name, _)) => {
                let near = nearest(name, WORDS);
                let why = format!("`{name}:` means nothing here; did you mean `{near}:`?");
                return Err(wrong(why));
            }
            None => return Err(wrong(format!("`{word}` says nothing about how to run it"))),
        }
    }
    match (rule, &mut wishes.options.key) {
        (None, _) => {}
        (Some((_, rule)), Some(key)) => key.rule = rule,
        (Some((at, rule)), None) => {
            let why = format!("`{}` needs a key: write key:K {}", rule.word(), rule.word());
            return Err(ParseError { at, why });
        }
    }
    Ok(wishes)
}

/// Words with the character at which each begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().map(move |word| {
        let bytes = word.as_ptr().addr() - text.as_ptr().addr();
        let before = text.get(..bytes).unwrap_or_default();
        (before.chars().count(), word)
    })
}

fn wish(
    wishes: &mut OptionWords,
    name: &str,
    value: &str,
    now: &jiff::Zoned,
) -> Result<(), String> {
    if value.is_empty() {
        return Err(format!("`{name}:` lacks what it is to be"));
    }
    let options = &mut wishes.options;
    match name {
        "key" => {
            options.key = Some(Key {
                text: value.into(),
                rule: KeyPolicy::Tag,
            });
        }
        "queue" => options.queue = Some(value.into()),
        "priority" => options.priority = number(value, 0, MAX_PRIORITY)?,
        "in" => options.delay = Some(units::duration(value)?),
        "at" => options.eta = Some(time_of_day(value, now)?),
        "expires" => options.expires = Some(units::duration(value)?),
        "attempts" => options.max_attempts = number(value, 1, MAX_ATTEMPTS)?,
        "limit" => options.limits.hard = Some(limit(value)?),
        "soft" => options.limits.soft = Some(limit(value)?),
        "keep" => options.keep = Some(units::duration(value)?),
        _ => wishes.fails = Some(number(value, 0, MAX_ATTEMPTS)?),
    }
    Ok(())
}

fn limit(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        time if time.is_zero() => Err("a time limit of nothing lets nothing run".to_owned()),
        time => Ok(time),
    }
}

fn number(text: &str, from: u8, to: u8) -> Result<u8, String> {
    match text.parse() {
        Ok(n) if (from..=to).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from {from} to {to}")),
    }
}

/// The next time that clocks on the wall show this.
fn time_of_day(text: &str, now: &jiff::Zoned) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is no time of day, such as 15:30 or 15:30:10");
    let time: jiff::civil::Time = text.parse().map_err(|_e| wrong())?;
    let today = now.with().time(time).build().map_err(|_e| wrong())?;
    let next = if today <= *now {
        let tomorrow = now.tomorrow().and_then(|day| day.with().time(time).build());
        tomorrow.map_err(|_e| wrong())?
    } else {
        today
    };
    let micros = next.timestamp().as_microsecond();
    Ok(Timestamp(u64::try_from(micros).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noon() -> jiff::Zoned {
        "2026-03-01T12:00:00[UTC]".parse().expect("a time")
    }

    fn read(text: &str) -> Result<OptionWords, ParseError> {
        parse(text, &noon())
    }

    #[test]
    fn every_wish_is_understood() {
        let text = "key:acme serial queue:mail priority:9 in:30s expires:5m attempts:3 limit:10s \
                    soft:8s keep:1d fails:2";
        let OptionWords { options, fails } = read(text).expect("fine");
        let seconds = Duration::from_secs;
        assert_eq!(fails, Some(2));
        let key = options.key.expect("given");
        assert_eq!((&*key.text, key.rule), ("acme", KeyPolicy::Serial));
        assert_eq!(
            (options.queue.as_deref(), options.priority),
            (Some("mail"), 9)
        );
        assert_eq!(
            (options.delay, options.expires),
            (Some(seconds(30)), Some(seconds(300)))
        );
        assert_eq!(
            (options.limits.soft, options.limits.hard),
            (Some(seconds(8)), Some(seconds(10)))
        );
        assert_eq!(
            (options.max_attempts, options.keep),
            (3, Some(seconds(86_400)))
        );
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let at = |text: &str| {
            let eta = read(text).expect("fine").options.eta.expect("given");
            let micros = i64::try_from(eta.0).expect("soon");
            jiff::Timestamp::from_microsecond(micros)
                .expect("a time")
                .to_string()
        };
        assert_eq!(at("at:15:30"), "2026-03-01T15:30:00Z");
        assert_eq!(at("at:11:59"), "2026-03-02T11:59:00Z");
    }

    #[test]
    fn what_means_nothing_says_which_word_and_what_would_be_right() {
        for (text, at, why) in [
            ("serial", 0, "needs a key"),
            ("key:é ky:x", 6, "did you mean `key:`"),
            ("priority:10", 0, "0 to 9"),
            ("in:soon", 0, "no span of time"),
            ("at:25:00", 0, "no time of day"),
            ("limit:0s", 0, "lets nothing run"),
            ("key:", 0, "lacks"),
            ("now", 0, "says nothing"),
        ] {
            let mistake = read(text).expect_err(text);
            assert_eq!(mistake.at, at, "{text}: {mistake:?}");
            assert!(mistake.why.contains(why), "{text}: {mistake:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(text in "[a-z:0-9 é]{0,40}|.{0,30}") {
            if let Err(mistake) = read(&text) {
                prop_assert!(mistake.at <= text.chars().count());
            }
        }
    }
}
