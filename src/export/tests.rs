use std::time::Duration;

use super::*;
use crate::queue::{
    clock::Timestamp,
    id::{TaskId, WorkerId},
    payload::Payload,
    state::State,
    task::{Task, TaskFailure},
    timeline::ActivityTimeline,
    worker::{WorkerState, WorkerStatus},
};

#[derive(Serialize)]
struct Pair {
    a: f64,
    b: &'static str,
}

impl ExportRow for Pair {
    const COLUMNS: &'static [&'static str] = &["a", "b"];
}

fn written<R: ExportRow>(name: &str, rows: &[R]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    assert_eq!(write_all(&path, rows).expect("written"), rows.len());
    assert!(
        write_all(&path, rows).is_err(),
        "a file is never overwritten"
    );
    std::fs::read_to_string(path).expect("there")
}

#[test]
fn csv_quotes_what_needs_it_and_disarms_formulas() {
    let pair = |a, b| Pair { a, b };
    let rows = [
        pair(1.0, "two, \"three\""),
        pair(-0.5, "=1+1"),
        pair(1e300, "-5"),
        pair(f64::NAN, "-x\ny"),
    ];
    assert_eq!(
        written("x.csv", &rows),
        "a,b\r\n1.0,\"two, \"\"three\"\"\"\r\n-0.5,'=1+1\r\n1e+300,-5\r\n,\"'-x\ny\"\r\n"
    );
}

#[test]
fn json_is_an_array_of_objects() {
    let pair = |a, b| Pair { a, b };
    let rows = [pair(1.5, "é\u{1b}\u{9b}"), pair(2.0, "")];
    assert_eq!(
        written("x.json", &rows),
        "[\n{\"a\":1.5,\"b\":\"é\\u001b\\u009b\"},\n{\"a\":2.0,\"b\":\"\"}\n]\n"
    );
    assert_eq!(written::<Pair>("y.json", &[]), "[\n]\n");
}

fn task(id: u64) -> Task {
    Task {
        id: TaskId::Sequence(id),
        name: "add".into(),
        payload: Payload::from_json("[123456789012345678901234567890,0.1]".into()),
        state: State::Succeeded,
        native_state: None,
        cancelling: false,
        progress: None,
        queue: None,
        key: None,
        priority: 5,
        attempts: 1,
        max_attempts: 5,
        crashes: 0,
        submitted_at: Timestamp(1_000_000),
        due_at: None,
        expires_at: None,
        started_at: Some(Timestamp(1_500_000)),
        finished_at: Some(Timestamp(2_000_000)),
        wait_time: Some(Duration::from_millis(500)),
        run_time: Some(Duration::from_micros(1_500)),
        worker: None,
        result: Some("Infinity".into()),
        error: None,
        attempts_history: Vec::new(),
    }
}

#[test]
fn exported_tasks_are_the_objects_of_tasks_list_json() {
    let tasks = [task(1), task(2)];
    let shapes: Vec<TaskJson<'_>> = tasks.iter().map(TaskJson::from).collect();
    let listed = json::to_line(&shapes).expect("JSON");
    let exported = written("tasks.json", &shapes);
    assert_eq!(exported.replace('\n', ""), listed);
    assert!(
        listed.contains("\"args\":[123456789012345678901234567890,0.1]"),
        "{listed}"
    );
    assert!(listed.contains("\"result\":\"Infinity\""), "{listed}");
    assert!(listed.contains("\"run_ms\":1.5"), "{listed}");
}

/// A task with a value in every field of a list.
fn full_task() -> Task {
    Task {
        payload: Payload::Json {
            args: Some("[2]".into()),
            kwargs: Some("{\"y\":3}".into()),
        },
        state: State::Failed,
        native_state: Some("FAILURE".into()),
        result: None,
        error: Some(TaskFailure {
            kind: Some("ValueError".into()),
            message: "too large, \"really\"".into(),
            traceback: Some("line 1\nline 2".into()),
        }),
        ..task(1)
    }
}

#[test]
fn an_error_is_exported_with_its_kind_and_traceback() {
    let rows = written("tasks.csv", &[TaskJson::from(&full_task())]);
    assert!(
        rows.contains("\"too large, \"\"really\"\"\",ValueError,\"line 1\nline 2\""),
        "{rows}"
    );
    assert!(
        rows.contains("[2],\"{\"\"y\"\":3}\",failed,FAILURE"),
        "{rows}"
    );
}

/// The names of an object's fields, in order.
fn fields<R: ExportRow>(row: &R) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Names {
        fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Names;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Names, A::Error> {
                    let mut names = Vec::new();
                    while let Some((name, _)) = map.next_entry::<_, serde::de::IgnoredAny>()? {
                        names.push(name);
                    }
                    Ok(Names(names))
                }
            }
            d.deserialize_map(Visitor)
        }
    }
    let text = json::to_line(row).expect("JSON");
    serde_json::from_str::<Names>(&text).expect("an object").0
}

#[test]
fn columns_are_the_fields() {
    fn check<R: ExportRow>(row: &R) {
        assert_eq!(fields(row), R::COLUMNS);
    }
    check(&TaskJson::from(&full_task()));
    let record = Record {
        name: "server".into(),
        uri: "distro:server@127.0.0.1:1".parse().expect("a URI"),
        owner: crate::net::trust::key::PublicKey::from_bytes([1; 32]).into(),
        tags: vec!["greeter".into()],
        lease_ms: Some(15_000),
        health: crate::net::naming::Health::Live,
        share: crate::net::naming::ShareRule::Owner,
    };
    check(&NameJson::from(&record));
    let worker = WorkerStatus {
        id: WorkerId::Local(1),
        state: WorkerState::Idle,
        current: None,
        done: 1,
        failed: 0,
        cancelled: 0,
        started_at: Timestamp(0),
        timeline: ActivityTimeline::default(),
    };
    check(&WorkerJson::new(&worker, Timestamp(1)));
    check(&GreetingJson {
        at: None,
        name: String::new(),
        greeting: None,
        error: None,
        lookup_ms: None,
        call_ms: None,
    });
    check(&EventJson {
        at: None,
        kind: "task",
        text: String::new(),
    });
}
