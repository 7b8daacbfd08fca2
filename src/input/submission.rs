//! A task as it is typed: its name, its arguments as JSON, and options: `add [2,3] priority:9`.

use super::{
    json_error,
    options::{self, PartialOptions},
};
use crate::queue::task::NewTask;

/// Parses a task. Options on the line take precedence over `base`.
pub(crate) fn parse(
    text: &str,
    base: &PartialOptions,
    now: &jiff::ZonedDateTime,
) -> Result<NewTask, String> {
    let usage = || "write a task's name and its arguments as JSON: add [2,3]".to_owned();
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).ok_or_else(usage)?;
    let rest = rest.trim_start();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    let first = values.next().ok_or_else(usage)?;
    first.map_err(|e| format!("the arguments are not JSON: {}", json_error::describe(&e)))?;
    let (args, words) = rest.split_at(values.byte_offset());
    let options = options::parse(words, base, now).map_err(|error| error.why)?;
    if options.fails.is_some() {
        return Err("`fails` is an option of additions; write for example 2 3 fails:2".to_owned());
    }
    let mut task = NewTask::new(name, args);
    task.options = options.task_options();
    let valid = task.options.validate();
    valid.map_err(|error| error.to_string())?;
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, base: &PartialOptions) -> Result<NewTask, String> {
        let epoch = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
        parse(text, base, &epoch)
    }

    #[test]
    fn a_task_has_a_name_arguments_and_options() {
        let base = PartialOptions {
            priority: Some(9),
            attempts: Some(2),
            ..PartialOptions::default()
        };
        let task = read(" add [2, 3] priority:5 queue:mail ", &base).expect("fine");
        assert_eq!((&*task.name, &*task.args), ("add", "[2, 3]"));
        let options = task.options;
        assert_eq!((options.priority, options.max_attempts), (5, 2));
        assert_eq!(options.queue.as_deref(), Some("mail"));
    }

    #[test]
    fn a_mistake_is_reported() {
        for (text, why) in [
            ("add", "name and its arguments"),
            ("add [2,", "not JSON"),
            ("add [2,3] ky:x", "did you mean `key`"),
            ("add [2,3] fails:1", "option of additions"),
            (
                "add [2,3] expires:0s",
                "the expiry must be longer than zero",
            ),
        ] {
            let error = read(text, &PartialOptions::default()).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
