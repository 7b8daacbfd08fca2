use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;

/// The table of options for `docs/tasks.md`.
fn markdown() -> String {
    let mut table = String::from("| option | meaning |\n|---|---|\n");
    for option in &TABLE {
        let also: String = option
            .aliases
            .iter()
            .map(|alias| format!(" (or `{alias}:`)"))
            .collect();
        table.push_str(&format!(
            "| `{}`{also} | {} |\n",
            option.example, option.meaning
        ));
    }
    table
}

fn noon() -> jiff::ZonedDateTime {
    "2026-03-01T12:00:00[UTC]".parse().expect("a time")
}

fn read(text: &str) -> Result<PartialOptions, ParseError> {
    parse(text, &PartialOptions::default(), &noon())
}

/// Each option as a word and value, and the change it makes to the options of a task.
type Case = (&'static str, fn(&mut TaskOptions));

const CASES: [Case; 14] = [
    ("priority:9", |o| o.priority = 9),
    ("priority:5", |o| o.priority = 5),
    ("delay:30s", |o| o.delay = Some(seconds(30))),
    ("countdown:30s", |o| o.delay = Some(seconds(30))),
    ("at:15:30", |o| {
        o.eta = Some(Timestamp(1_772_379_000_000_000));
    }),
    ("eta:15:30", |o| {
        o.eta = Some(Timestamp(1_772_379_000_000_000));
    }),
    ("expires:5m", |o| o.expires = Some(seconds(300))),
    ("queue:mail", |o| o.queue = Some("mail".into())),
    ("attempts:3", |o| o.max_attempts = 3),
    ("limit:10s", |o| o.limits.hard = Some(seconds(10))),
    ("soft-limit:8s", |o| o.limits.soft = Some(seconds(8))),
    ("result-ttl:1d", |o| o.result_ttl = Some(seconds(86_400))),
    ("key:acme", |o| {
        o.key = Some(TaskKey {
            text: "acme".into(),
            policy: KeyPolicy::Tag,
        });
    }),
    ("fails:2", |_| {}),
];

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn every_option_has_its_value_as_a_word_and_as_a_flag() {
    for (word, change) in CASES {
        let mut expected = TaskOptions::default();
        change(&mut expected);
        let parsed = read(word).expect(word);
        assert_eq!(parsed.task_options(), expected, "{word}");
        assert_eq!(parsed.fails, (word == "fails:2").then_some(2));
        let (name, value) = word.split_once(':').expect("a value");
        let mut flags = PartialOptions::default();
        let option = OptionSpec::find(name).expect(name);
        option
            .set(&mut flags, Some(value), &noon())
            .expect("a value");
        assert_eq!(flags, parsed, "--{name} {value}");
    }
    let tested = |option: &OptionSpec| {
        option.value.is_none() || CASES.iter().any(|(word, _)| word.starts_with(option.name))
    };
    assert!(TABLE.iter().all(tested), "every option is in the cases");
    for (word, policy) in [("unique", KeyPolicy::Unique), ("serial", KeyPolicy::Serial)] {
        let options = read(&format!("key:acme {word}"))
            .expect("fine")
            .task_options();
        assert_eq!(options.key.expect("given").policy, policy);
    }
}

#[test]
fn every_example_can_be_read() {
    for option in &TABLE {
        assert_ne!(read(option.example), Ok(PartialOptions::default()));
        assert!(option.example.contains(option.name), "{}", option.name);
    }
}

#[test]
fn the_documented_limits_and_defaults_are_those_of_the_code() {
    let meaning = |name| OptionSpec::find(name).expect(name).meaning;
    let default = TaskOptions::default();
    let priority = format!("0 to {MAX_PRIORITY}, default {};", default.priority);
    assert!(meaning("priority").starts_with(&priority), "{priority}");
    let attempts = format!("1 to {MAX_ATTEMPTS}, default {},", default.max_attempts);
    assert!(meaning("attempts").contains(&attempts), "{attempts}");
    let values = OptionSpec::find("priority").expect("an option").value;
    assert_eq!(values, Some(&*format!("0-{MAX_PRIORITY}")));
}

#[test]
fn an_option_that_is_given_wins_over_the_base_and_an_absent_one_does_not() {
    let flags = read(
        "key:base unique priority:9 delay:1s at:13:00 expires:1m queue:base attempts:2 limit:1s \
         soft-limit:1s result-ttl:1m fails:1",
    )
    .expect("fine");
    let merged = |line: &str| parse(line, &flags, &noon()).expect(line);
    assert_eq!(merged(""), flags, "an empty line changes nothing");
    assert_eq!(
        merged("priority:5").priority,
        Some(5),
        "the default value is a value"
    );
    for (word, _) in CASES {
        let alone = read(word).expect(word);
        let both = merged(word);
        let other = |a: Option<u64>, b: Option<u64>, base: Option<u64>| a == b.or(base);
        let time = |span: Option<Duration>| span.map(|span| span.as_secs());
        assert_eq!(both.key, alone.key.or_else(|| flags.key.clone()), "{word}");
        assert_eq!(both.queue, alone.queue.or_else(|| flags.queue.clone()));
        assert_eq!(both.priority, alone.priority.or(flags.priority), "{word}");
        assert_eq!(both.attempts, alone.attempts.or(flags.attempts), "{word}");
        assert_eq!(both.at, alone.at.or(flags.at), "{word}");
        assert_eq!(both.fails, alone.fails.or(flags.fails), "{word}");
        assert_eq!(both.policy, flags.policy, "{word}");
        for (both, alone, base) in [
            (both.delay, alone.delay, flags.delay),
            (both.expires, alone.expires, flags.expires),
            (both.limit, alone.limit, flags.limit),
            (both.soft_limit, alone.soft_limit, flags.soft_limit),
            (both.result_ttl, alone.result_ttl, flags.result_ttl),
        ] {
            assert!(other(time(both), time(alone), time(base)), "{word}");
        }
    }
    assert_eq!(merged("serial").policy, Some(KeyPolicy::Serial));
}

#[test]
fn a_policy_may_come_from_a_flag_and_its_key_from_the_line() {
    let flags = PartialOptions {
        policy: Some(KeyPolicy::Serial),
        ..PartialOptions::default()
    };
    let options = parse("key:acme", &flags, &noon()).expect("fine");
    let key = options.task_options().key.expect("given");
    assert_eq!((&*key.text, key.policy), ("acme", KeyPolicy::Serial));
    assert!(
        parse("", &flags, &noon()).is_err(),
        "serial needs a key somewhere"
    );
}

#[test]
fn a_time_of_day_is_the_next_one() {
    let at = |text: &str| {
        let at = read(text).expect("fine").at.expect("given");
        let micros = i64::try_from(at.0).expect("soon");
        jiff::Timestamp::from_microsecond(micros)
            .expect("a time")
            .to_string()
    };
    assert_eq!(at("at:15:30"), "2026-03-01T15:30:00Z");
    assert_eq!(at("at:11:59"), "2026-03-02T11:59:00Z");
}

#[test]
fn a_mistake_is_reported_with_its_place_and_a_correction() {
    for (text, at, why) in [
        ("serial", 0, "needs a key"),
        ("key:é ky:x", 6, "did you mean `key`"),
        ("priority:10", 0, "0 to 9"),
        ("delay:soon", 0, "not a duration"),
        ("at:25:00", 0, "not a time of day"),
        ("limit:0s", 0, "longer than zero"),
        ("key:", 0, "has no value"),
        ("priority", 0, "has no value"),
        ("key:a serial:b", 6, "takes no value"),
        ("now", 0, "is not an option"),
    ] {
        let mistake = read(text).expect_err(text);
        assert_eq!(mistake.at, at, "{text}: {mistake:?}");
        assert!(mistake.why.contains(why), "{text}: {mistake:?}");
    }
}

/// With `UPDATE_DOCS=1` the table is written first.
#[test]
fn the_guide_has_the_current_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tasks.md");
    let guide = fs::read_to_string(&path).expect("a guide");
    let (before, rest) = guide.split_once("<!-- options -->\n").expect("a start");
    let (found, after) = rest.split_once("<!-- end of options -->").expect("an end");
    let table = format!("\n{}\n", markdown());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{before}<!-- options -->\n{table}<!-- end of options -->{after}");
        fs::write(&path, text).expect("written");
    } else {
        assert_eq!(
            found, table,
            "docs/tasks.md is out of date; run this test once with UPDATE_DOCS=1"
        );
    }
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(text in "[a-z:0-9 é-]{0,40}|.{0,30}") {
        if let Err(mistake) = read(&text) {
            prop_assert!(mistake.at <= text.chars().count());
        }
    }
}
