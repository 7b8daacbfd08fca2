//! Names that are kept: before their owner is told, and over the end of the naming server.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use distro_tui::net::{
    fault::Code,
    key::PublicKey,
    naming::{Health, Journal, Kept, Limits, Naming, Record, Register, Registered},
    object::{Answer, Caller, Invocation, Object},
    value::Value,
    wire::Role,
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

/// A journal in memory that can be broken.
#[derive(Default)]
struct Notes {
    kept: Mutex<Vec<Kept>>,
    broken: AtomicBool,
}

impl Journal for Notes {
    fn keep(&self, changes: Vec<Kept>) -> BoxFuture<'_, Result<(), String>> {
        if self.broken.load(Ordering::Relaxed) {
            return std::future::ready(Err("the disk is full".to_owned())).boxed();
        }
        self.kept.lock().expect("whole").extend(changes);
        std::future::ready(Ok(())).boxed()
    }
}

fn caller(n: u8) -> Caller {
    Caller {
        key: PublicKey::from_bytes([n; 32]),
        role: Role::Member,
    }
}

fn start(notes: &Arc<Notes>, before: Vec<Registered>) -> Naming {
    let journal: Arc<dyn Journal> = Arc::<Notes>::clone(notes);
    let (naming, keeping) = Naming::kept(Limits::default(), before, journal);
    tokio::spawn(keeping);
    naming
}

async fn call(naming: &Naming, n: u8, method: &str, args: Vec<Value>) -> Result<Value, Code> {
    let invocation = Invocation {
        caller: caller(n),
        method: method.to_owned(),
        args,
        kwargs: vec![],
    };
    match naming.object().call(invocation).await {
        Ok(Answer::One(answer)) => Ok(answer.value().expect("a value")),
        Ok(_) => panic!("{method} gives one value"),
        Err(fault) => Err(fault.code),
    }
}

fn records(naming: Value) -> Vec<Record> {
    naming.to_typed().expect("records")
}

fn register(name: &str) -> Vec<Value> {
    vec![name.into(), "distro:x@127.0.0.1:1".into()]
}

#[tokio::test]
async fn what_is_registered_is_kept_before_its_owner_is_told() {
    let notes = Arc::new(Notes::default());
    let naming = start(&notes, vec![]);
    call(&naming, 1, "register", register("a"))
        .await
        .expect("registered");
    let put = notes.kept.lock().expect("whole").last().cloned();
    assert!(matches!(put, Some(Kept::Put(kept)) if kept.record.name == "a"));
    call(&naming, 1, "unregister", vec!["a".into()])
        .await
        .expect("gone");
    let gone = notes.kept.lock().expect("whole").last().cloned();
    assert!(matches!(gone, Some(Kept::Gone { name, .. }) if name == "a"));
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_registered() {
    let notes = Arc::new(Notes::default());
    let naming = start(&notes, vec![]);
    notes.broken.store(true, Ordering::Relaxed);
    let refused = call(&naming, 1, "register", register("a")).await;
    assert_eq!(refused.expect_err("refused"), Code::Overloaded);
    let looked = call(&naming, 1, "lookup", vec!["a".into()]).await;
    assert_eq!(looked.expect_err("nothing there"), Code::NotFound);
    notes.broken.store(false, Ordering::Relaxed);
    call(&naming, 1, "register", register("a"))
        .await
        .expect("it is mended");
}

#[tokio::test(start_paused = true)]
async fn names_come_back_suspect_and_their_owners_renew_them_as_if_nothing_had_been() {
    let record = |name: &str, n: u8, lease_ms| Registered {
        id: u64::from(n),
        record: Record {
            name: name.into(),
            uri: "distro:x@127.0.0.1:1".into(),
            owner: caller(n).key,
            metadata: vec!["tag".into()],
            lease_ms,
            health: Health::Live,
            exclusive: false,
        },
    };
    let before = vec![
        record("renewed", 7, Some(15_000)),
        record("forgotten", 8, Some(15_000)),
        record("forever", 9, None),
    ];
    let notes = Arc::new(Notes::default());
    let naming = start(&notes, before);
    let stop = CancellationToken::new();
    let (clock, stopped) = (naming.clone(), stop.clone());
    let clock = tokio::spawn(async move { clock.run(stopped).await });
    let health = async |name: &str| {
        let found = call(&naming, 1, "lookup", vec![name.into()]).await;
        found.map(|found| records(found)[0].health)
    };
    assert_eq!(health("renewed").await, Ok(Health::Suspect));
    assert_eq!(health("forever").await, Ok(Health::Live));
    call(&naming, 7, "renew", vec!["renewed".into(), 7i64.into()])
        .await
        .expect("still its own");
    assert_eq!(health("renewed").await, Ok(Health::Live));
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(health("forgotten").await, Err(Code::NotFound));
    let gone = notes.kept.lock().expect("whole").clone();
    assert!(
        gone.iter()
            .any(|kept| matches!(kept, Kept::Gone { name, .. } if name == "forgotten"))
    );
    // Numbers go on where they were, so that an old one never means somebody else.
    let granted = call(&naming, 1, "register", register("new"))
        .await
        .expect("registered");
    assert!(format!("{granted}").contains("10"), "{granted}");
    stop.cancel();
    clock.await.expect("ends");
}

/// As after a night in which every server has died.
#[tokio::test(start_paused = true)]
async fn however_many_are_gone_at_once_none_comes_back() {
    const MANY: usize = 10_000;
    let notes = Arc::new(Notes::default());
    let naming = start(&notes, vec![]);
    for n in 0..MANY {
        let wanted = Register::new(format!("n{n}"), "distro:x@127.0.0.1:1");
        naming.register(&caller(1), wanted).expect("room");
    }
    tokio::time::sleep(Duration::from_secs(16)).await;
    // Time passes before anything else is done, and what it has ended is kept before this is.
    let granted = call(&naming, 1, "register", register("new")).await;
    granted.expect("registered");
    let kept = notes.kept.lock().expect("whole");
    let gone = kept.iter().filter(|kept| matches!(kept, Kept::Gone { .. }));
    assert_eq!(gone.count(), MANY);
}
