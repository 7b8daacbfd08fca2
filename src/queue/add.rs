//! The `add` task: adds two numbers, optionally slowly or after failed attempts.

use std::time::Duration;

use serde::Deserialize;

use super::{
    context::Context,
    number::Number,
    registry::{Registry, TaskError},
    task::NewTask,
};

/// The registered name of the task.
pub const NAME: &str = "add";

/// The maximum of [`Add::seconds`].
pub const MAX_SECONDS: f64 = 3_600.0;

/// The arguments of the task.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "two numbers, such as [2, 3], and optionally seconds and failures, such as [2, 3, 1.5, 0]"
)]
pub struct Add {
    /// The first number.
    pub x: Number,
    /// The second number.
    pub y: Number,
    /// The time that it takes, to watch it run: 0 to [`MAX_SECONDS`].
    #[serde(default, deserialize_with = "seconds")]
    pub seconds: Option<f64>,
    /// The number of attempts that fail before one succeeds, to watch retries.
    #[serde(default)]
    pub fails: Option<u8>,
}

impl Add {
    /// Returns a task with these arguments.
    #[must_use]
    pub fn task(&self) -> NewTask {
        let (x, y) = (self.x.to_json(), self.y.to_json());
        let args = match (self.seconds, self.fails) {
            (None, None) => format!("[{x},{y}]"),
            (Some(seconds), None) => format!("[{x},{y},{seconds:?}]"),
            (None, Some(fails)) => format!("[{x},{y},null,{fails}]"),
            (Some(seconds), Some(fails)) => format!("[{x},{y},{seconds:?},{fails}]"),
        };
        NewTask::new(NAME, args)
    }
}

fn seconds<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    let seconds = Option::<f64>::deserialize(d)?;
    match seconds {
        Some(s) if !(0.0..=MAX_SECONDS).contains(&s) => Err(serde::de::Error::custom(
            format_args!("{s} seconds are outside 0 to {MAX_SECONDS}"),
        )),
        valid => Ok(valid),
    }
}

async fn add(args: Add, context: Context) -> Result<String, TaskError> {
    if let Some(seconds) = args.seconds.filter(|s| *s > 0.0) {
        wait_with_progress(Duration::from_secs_f64(seconds), &context).await;
    }
    let attempt = context.attempt();
    if args.fails.is_some_and(|fails| attempt <= fails) {
        let why = format!("attempt {attempt} fails on request");
        return Err(TaskError::retryable(why));
    }
    let sum = args.x.add(&args.y).map_err(TaskError::permanent)?;
    Ok(sum.to_json())
}

/// The interval between progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Waits for some time and reports progress.
async fn wait_with_progress(time: Duration, context: &Context) {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let since = tokio::time::Instant::now();
    while let Some(left) = time
        .checked_sub(since.elapsed())
        .filter(|left| !left.is_zero())
    {
        context.progress(millis(since.elapsed()), millis(time));
        tokio::time::sleep(left.min(PROGRESS_INTERVAL)).await;
    }
}

/// Registers `add(x, y, seconds, fails)`.
pub fn register(registry: &mut Registry) {
    registry.register(NAME, add);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_survive_a_round_trip_through_json() {
        for (x, y, seconds) in [
            ("2", "3", None),
            ("-1", "2.5", Some(0.5)),
            ("1", &"9".repeat(300), None),
        ] {
            let add = Add {
                x: Number::parse(x).expect("a number"),
                y: Number::parse(y).expect("a number"),
                seconds,
                fails: seconds.map(|_| 2),
            };
            let back: Add = serde_json::from_str(&add.task().args).expect("reads");
            assert_eq!(back, add);
        }
    }

    #[test]
    fn seconds_have_limits() {
        assert!(serde_json::from_str::<Add>("[1,2,-1]").is_err());
        assert!(serde_json::from_str::<Add>("[1,2,1e9]").is_err());
        assert!(serde_json::from_str::<Add>("[1,2,null]").is_ok());
    }
}
