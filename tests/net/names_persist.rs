//! Persistent names: written before the reply to their owner, and restored at the next start.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use distro_tui::{
    net::{
        naming::{
            Health, Journal, JournalEntry, JournalError, Lease, NamingLimits, NamingServer, Record,
            RegisterRequest, ShareRule, StoredRegistration,
        },
        rpc::{
            error::{Code, RemoteError},
            object::{Caller, Invocation, Object, Response},
        },
        trust::{key::PublicKey, role::Role},
        uri::Uri,
    },
    value::Value,
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

/// A journal in memory whose writes can be made to fail.
#[derive(Default)]
struct MemoryJournal {
    stored: Mutex<Vec<JournalEntry>>,
    broken: AtomicBool,
}

impl Journal for MemoryJournal {
    fn append(&self, changes: Vec<JournalEntry>) -> BoxFuture<'_, Result<(), JournalError>> {
        if self.broken.load(Ordering::Relaxed) {
            let full: JournalError = Arc::new(std::io::Error::other("the disk is full"));
            return std::future::ready(Err(full)).boxed();
        }
        self.stored.lock().expect("whole").extend(changes);
        std::future::ready(Ok(())).boxed()
    }
}

fn caller(n: u8) -> Caller {
    Caller {
        principal: PublicKey::from_bytes([n; 32]).into(),
        role: Role::Member,
    }
}

fn start(journal: &Arc<MemoryJournal>, before: Vec<StoredRegistration>) -> NamingServer {
    let journal: Arc<dyn Journal> = Arc::<MemoryJournal>::clone(journal);
    let (naming, journaling) = NamingServer::persistent(NamingLimits::default(), before, journal);
    tokio::spawn(journaling);
    naming
}

async fn call(naming: &NamingServer, n: u8, method: &str, args: Vec<Value>) -> Result<Value, Code> {
    let reply = try_call(naming, n, method, args).await;
    reply.map_err(|error| error.code)
}

async fn try_call(
    naming: &NamingServer,
    n: u8,
    method: &str,
    args: Vec<Value>,
) -> Result<Value, RemoteError> {
    let invocation = Invocation {
        caller: caller(n),
        method: method.to_owned(),
        args,
        kwargs: vec![],
    };
    match naming.object().call(invocation).await {
        Ok(Response::One(answer)) => Ok(answer.to_value().expect("a value")),
        Ok(_) => panic!("{method} gives one value"),
        Err(error) => Err(error),
    }
}

fn records(naming: Value) -> Vec<Record> {
    naming.to_typed().expect("records")
}

fn register(name: &str) -> Vec<Value> {
    register_at(name, "distro:x@127.0.0.1:1")
}

fn register_at(name: &str, uri: &str) -> Vec<Value> {
    let request = [("name", name), ("uri", uri)];
    let request = request.map(|(field, text)| (field.to_owned(), text.into()));
    vec![Value::Map(request.into())]
}

#[tokio::test]
async fn a_uri_that_is_not_of_its_scheme_is_refused_when_it_is_registered() {
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, vec![]);
    let long = format!("distro:{}@127.0.0.1:1", "x".repeat(600));
    for (uri, says) in [
        (
            "distro:garbage",
            "`distro:garbage` is not of the form distro:OBJECT@ADDRESS:PORT",
        ),
        ("PYRO:garbage", "not of the form PYRO:OBJECT@HOST:PORT"),
        ("nowhere", "has no scheme"),
        ("", "has no scheme"),
        (&long, "over the limit of 512 bytes"),
    ] {
        let refused = try_call(&naming, 1, "register", register_at("a", uri)).await;
        let refused = refused.expect_err(uri);
        assert_eq!(refused.code, Code::BadArguments, "{uri}");
        assert!(refused.message.contains(says), "{refused}");
    }
    assert_eq!(naming.count(), 0);
    // Another system's object can be listed here, if not called.
    for uri in ["distro:x@127.0.0.1:1", "https://example.org/a"] {
        let registered = call(&naming, 1, "register", register_at("a", uri)).await;
        registered.expect(uri);
        let found = call(&naming, 1, "lookup", vec!["a".into()]).await;
        assert_eq!(records(found.expect("there"))[0].uri.to_string(), uri);
    }
}

#[tokio::test]
async fn a_registration_is_persisted_before_the_reply() {
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, vec![]);
    call(&naming, 1, "register", register("a"))
        .await
        .expect("registered");
    let put = journal.stored.lock().expect("whole").last().cloned();
    assert!(matches!(put, Some(JournalEntry::Put(stored)) if stored.record.name == "a"));
    call(&naming, 1, "unregister", vec!["a".into()])
        .await
        .expect("gone");
    let removed = journal.stored.lock().expect("whole").last().cloned();
    assert!(matches!(removed, Some(JournalEntry::Removed { name, .. }) if name == "a"));
}

#[tokio::test]
async fn a_name_that_cannot_be_persisted_is_not_registered() {
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, vec![]);
    journal.broken.store(true, Ordering::Relaxed);
    let refused = call(&naming, 1, "register", register("a")).await;
    assert_eq!(refused.expect_err("refused"), Code::Overloaded);
    let looked = call(&naming, 1, "lookup", vec!["a".into()]).await;
    assert_eq!(looked.expect_err("nothing there"), Code::NotFound);
    journal.broken.store(false, Ordering::Relaxed);
    call(&naming, 1, "register", register("a"))
        .await
        .expect("the journal works again");
}

#[tokio::test(start_paused = true)]
async fn restored_names_are_suspect_until_their_owners_renew_them() {
    let record = |name: &str, n: u8, lease_ms| StoredRegistration {
        id: u64::from(n),
        since: u64::from(n),
        record: Record {
            name: name.into(),
            uri: "distro:x@127.0.0.1:1".parse().expect("a URI"),
            owner: caller(n).principal,
            tags: vec!["tag".into()],
            lease_ms,
            health: Health::Live,
            share: ShareRule::Owner,
        },
    };
    let before = vec![
        record("renewed", 7, Some(15_000)),
        record("abandoned", 8, Some(15_000)),
        record("forever", 9, None),
    ];
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, before);
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
    assert_eq!(health("abandoned").await, Err(Code::NotFound));
    let removed = journal.stored.lock().expect("whole").clone();
    assert!(
        removed.iter().any(
            |stored| matches!(stored, JournalEntry::Removed { name, .. } if name == "abandoned")
        )
    );
    // Ids continue, so that an old one never means another registration.
    let granted = call(&naming, 1, "register", register("new"))
        .await
        .expect("registered");
    assert!(format!("{granted}").contains("10"), "{granted}");
    stop.cancel();
    clock.await.expect("ends");
}

/// As after an outage of every server.
#[tokio::test(start_paused = true)]
async fn every_removal_is_persisted_however_many_expire_at_once() {
    const MANY: usize = 10_000;
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, vec![]);
    let uri: Uri = "distro:x@127.0.0.1:1".parse().expect("a URI");
    for n in 0..MANY {
        let wanted = RegisterRequest::new(format!("n{n}"), uri.clone());
        naming.register(&caller(1), wanted).expect("room");
    }
    tokio::time::sleep(Duration::from_secs(16)).await;
    // Expired names are removed first, and their removals are persisted before this registration.
    let granted = call(&naming, 1, "register", register("new")).await;
    granted.expect("registered");
    let stored = journal.stored.lock().expect("whole");
    let removed = stored
        .iter()
        .filter(|stored| matches!(stored, JournalEntry::Removed { .. }));
    assert_eq!(removed.count(), MANY);
}

fn register_tagged(name: &str, tag: &str) -> Vec<Value> {
    let mut args = register(name);
    if let [Value::Map(request)] = &mut args[..] {
        request.push(("tags".into(), Value::List(vec![tag.into()])));
    }
    args
}

#[tokio::test]
async fn what_was_acknowledged_stays_when_a_change_of_it_cannot_be_persisted() {
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, vec![]);
    let registered = call(&naming, 1, "register", register_tagged("a", "first")).await;
    let lease: Lease = registered.expect("registered").to_typed().expect("a lease");
    journal.broken.store(true, Ordering::Relaxed);
    for (method, args) in [
        ("register", register_tagged("a", "second")),
        (
            "set_tags",
            vec!["a".into(), Value::List(vec!["third".into()])],
        ),
        ("register", register_tagged("a", "fourth")),
    ] {
        let refused = call(&naming, 1, method, args).await;
        assert_eq!(refused.expect_err("refused"), Code::Overloaded, "{method}");
        let found = call(&naming, 2, "lookup", vec!["a".into()]).await;
        let found = records(found.expect("still registered"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].tags, ["first"], "after {method}");
    }
    // The owner can still renew what it has.
    let id = i64::try_from(lease.id).expect("small");
    let renewed = call(&naming, 1, "renew", vec!["a".into(), id.into()]).await;
    renewed.expect("its own");
    assert_eq!(naming.count(), 1);
}

#[tokio::test]
async fn a_change_is_persisted_or_undone_also_when_its_caller_has_gone() {
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, vec![]);
    journal.broken.store(true, Ordering::Relaxed);
    let abandoned = call(&naming, 1, "register", register("a")).now_or_never();
    assert!(abandoned.is_none(), "it waits for the journal");
    while naming.count() > 0 {
        tokio::task::yield_now().await;
    }
    // The next change of this name comes after it.
    journal.broken.store(false, Ordering::Relaxed);
    let registered = call(&naming, 1, "register", register("a")).await;
    registered.expect("registered");
    assert_eq!(naming.count(), 1);
}

#[tokio::test]
async fn an_eviction_is_persisted_at_once() {
    let journal = Arc::new(MemoryJournal::default());
    let naming = start(&journal, vec![]);
    for n in 0..600 {
        let registered = call(&naming, 1, "register", register(&format!("n{n}"))).await;
        registered.expect("registered");
    }
    let before = journal.stored.lock().expect("whole").len();
    let evicted = naming.evict(caller(1).principal).await;
    assert_eq!(evicted.expect("stored"), 600);
    let stored = journal.stored.lock().expect("whole")[before..].to_vec();
    assert!(
        matches!(stored[0], JournalEntry::Evicted { owner, .. } if owner == caller(1).principal)
    );
    assert!(stored.len() < 10, "{stored:?}");
}
