//! Task options as people write them: `key:acme serial priority:9 delay:30s` after a task, or the same names as
//! flags. [`TABLE`] defines every option once; words, flags and the table in `docs/tasks.md` come from it.

use std::{sync::Arc, time::Duration};

use crate::{
    queue::{
        clock::Timestamp,
        options::{KeyPolicy, MAX_ATTEMPTS, MAX_PRIORITY, TaskKey, TaskOptions, TimeLimits},
    },
    suggest::did_you_mean,
    units,
};

/// An input that cannot be read: the reason, and the character of the line at which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) at: usize,
    pub(crate) why: String,
}

/// Task options of which any may be absent; an absent one is `None`, never a default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PartialOptions {
    pub(crate) key: Option<Arc<str>>,
    pub(crate) policy: Option<KeyPolicy>,
    pub(crate) priority: Option<u8>,
    pub(crate) delay: Option<Duration>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) expires: Option<Duration>,
    pub(crate) queue: Option<Arc<str>>,
    pub(crate) attempts: Option<u8>,
    pub(crate) limit: Option<Duration>,
    pub(crate) soft_limit: Option<Duration>,
    pub(crate) result_ttl: Option<Duration>,
    /// Attempts of an addition that fail before one succeeds.
    pub(crate) fails: Option<u8>,
}

/// One option: its name in every grammar, its meaning and its parser.
pub(crate) struct OptionSpec {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    /// Placeholder of the value in `--help`; `None` for an option without a value.
    pub(crate) value: Option<&'static str>,
    /// As it is written after a task.
    pub(crate) example: &'static str,
    pub(crate) meaning: &'static str,
    set: fn(&mut PartialOptions, &str, &jiff::ZonedDateTime) -> Result<(), String>,
}

/// Every option, in the order of the documents.
pub(crate) const TABLE: [OptionSpec; 13] = [
    OptionSpec {
        name: "key",
        aliases: &[],
        value: Some("KEY"),
        example: "key:acme",
        meaning: "label of the task; `key:acme` in a filter finds it",
        set: |options, value, _now| {
            options.key = Some(value.into());
            Ok(())
        },
    },
    OptionSpec {
        name: "unique",
        aliases: &[],
        value: None,
        example: "key:acme unique",
        meaning: "with a key: while an unfinished task of the same name has this key, no new one is accepted; the \
                  id of the existing task is returned",
        set: |options, _none, _now| {
            options.policy = Some(KeyPolicy::Unique);
            Ok(())
        },
    },
    OptionSpec {
        name: "serial",
        aliases: &[],
        value: None,
        example: "key:acme serial",
        meaning: "with a key: tasks with this key run one at a time, in order",
        set: |options, _none, _now| {
            options.policy = Some(KeyPolicy::Serial);
            Ok(())
        },
    },
    OptionSpec {
        name: "priority",
        aliases: &[],
        value: Some("0-9"),
        example: "priority:9",
        meaning: "0 to 9, default 5; higher runs first. Ten seconds of waiting count as one step, so no task starves",
        set: |options, value, _now| {
            options.priority = Some(number(value, 0, MAX_PRIORITY)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "delay",
        aliases: &["countdown"],
        value: Some("TIME"),
        example: "delay:30s",
        meaning: "minimum time before the start; setting the system clock has no effect on it",
        set: |options, value, _now| {
            options.delay = Some(duration(value)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "at",
        aliases: &["eta"],
        value: Some("HH:MM"),
        example: "at:15:30",
        meaning: "time of day of the earliest start; with a delay too, the later of both counts",
        set: |options, value, now| {
            options.at = Some(time_of_day(value, now)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "expires",
        aliases: &[],
        value: Some("TIME"),
        example: "expires:5m",
        meaning: "time after which the task is no longer started, longer than its delay",
        set: |options, value, _now| {
            options.expires = Some(duration(value)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "queue",
        aliases: &[],
        value: Some("QUEUE"),
        example: "queue:mail",
        meaning: "name of the queue, without spaces; each queue can be paused alone",
        set: |options, value, _now| {
            options.queue = Some(value.into());
            Ok(())
        },
    },
    OptionSpec {
        name: "attempts",
        aliases: &[],
        value: Some("COUNT"),
        example: "attempts:3",
        meaning: "maximum attempts, 1 to 20, default 5, with random backoff of up to 60 s between them",
        set: |options, value, _now| {
            options.attempts = Some(number(value, 1, MAX_ATTEMPTS)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "limit",
        aliases: &[],
        value: Some("TIME"),
        example: "limit:10s",
        meaning: "hard time limit: the run is ended and fails. The default is the setting `time-limit`",
        set: |options, value, _now| {
            options.limit = Some(limit(value)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "soft-limit",
        aliases: &[],
        value: Some("TIME"),
        example: "soft-limit:8s",
        meaning: "soft time limit, at most the hard one: the task is notified and can finish its work",
        set: |options, value, _now| {
            options.soft_limit = Some(limit(value)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "result-ttl",
        aliases: &[],
        value: Some("TIME"),
        example: "result-ttl:1h",
        meaning: "time for which the finished task and its result are stored",
        set: |options, value, _now| {
            options.result_ttl = Some(duration(value)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "fails",
        aliases: &[],
        value: Some("COUNT"),
        example: "fails:2",
        meaning: "for trying out retries: this many attempts of the addition fail first",
        set: |options, value, _now| {
            options.fails = Some(number(value, 0, MAX_ATTEMPTS)?);
            Ok(())
        },
    },
];

impl OptionSpec {
    fn find(name: &str) -> Option<&'static Self> {
        TABLE
            .iter()
            .find(|option| option.name == name || option.aliases.contains(&name))
    }

    /// Sets this option of `options`; an option without a value takes `None`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the value.
    pub(crate) fn set(
        &self,
        options: &mut PartialOptions,
        value: Option<&str>,
        now: &jiff::ZonedDateTime,
    ) -> Result<(), String> {
        match (self.value, value) {
            (None, Some(_)) => Err(format!("`{}` takes no value", self.name)),
            (Some(_), None | Some("")) => Err(format!(
                "`{}` has no value; write for example {}",
                self.name, self.example
            )),
            (_, value) => (self.set)(options, value.unwrap_or_default(), now),
        }
    }
}

impl PartialOptions {
    /// Options with the default for each that is absent.
    pub(crate) fn task_options(&self) -> TaskOptions {
        let default = TaskOptions::default();
        let policy = self.policy.unwrap_or_default();
        TaskOptions {
            queue: self.queue.clone(),
            priority: self.priority.unwrap_or(default.priority),
            delay: self.delay,
            eta: self.at,
            expires: self.expires,
            max_attempts: self.attempts.unwrap_or(default.max_attempts),
            key: self.key.clone().map(|text| TaskKey { text, policy }),
            limits: TimeLimits {
                soft: self.soft_limit,
                hard: self.limit,
            },
            result_ttl: self.result_ttl,
        }
    }
}

/// Returns true for a word with which options can begin.
pub(crate) fn begins(word: &str) -> bool {
    word.contains(':') || OptionSpec::find(word).is_some()
}

/// Parses the options after a task. They take precedence over those of `base`.
pub(crate) fn parse(
    text: &str,
    base: &PartialOptions,
    now: &jiff::ZonedDateTime,
) -> Result<PartialOptions, ParseError> {
    let mut options = base.clone();
    let mut policy_at = 0;
    for (at, word) in words(text) {
        let (name, value) = match word.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let option = OptionSpec::find(name).ok_or_else(|| unknown(name, value.is_some()));
        option
            .and_then(|option| option.set(&mut options, value, now))
            .map_err(|why| ParseError { at, why })?;
        if value.is_none() {
            policy_at = at;
        }
    }
    match (options.policy, &options.key) {
        (Some(policy), None) => Err(ParseError {
            at: policy_at,
            why: format!("`{}` needs a key, for example key:acme", policy.as_str()),
        }),
        _ => Ok(options),
    }
}

fn unknown(name: &str, has_value: bool) -> String {
    if has_value {
        let near = did_you_mean(name, TABLE.iter().map(|option| option.name));
        format!("there is no option `{name}`{near}")
    } else {
        format!("`{name}` is not an option; write for example priority:9")
    }
}

/// Words, each with the character at which it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().map(move |word| {
        let bytes = word.as_ptr().addr() - text.as_ptr().addr();
        let before = text.get(..bytes).unwrap_or_default();
        (before.chars().count(), word)
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).map_err(|error| error.to_string())
}

fn limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time.is_zero() => Err("a time limit must be longer than zero".to_owned()),
        time => Ok(time),
    }
}

fn number(text: &str, from: u8, to: u8) -> Result<u8, String> {
    match text.parse() {
        Ok(n) if (from..=to).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from {from} to {to}")),
    }
}

/// Returns the next moment at which the local time of day is `text`.
fn time_of_day(text: &str, now: &jiff::ZonedDateTime) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is not a time of day, such as 15:30 or 15:30:10");
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
mod tests;
