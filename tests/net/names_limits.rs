//! Bounded work and bounded replies: whatever the naming server is asked and whatever it stores, other calls
//! get their turn meanwhile, and every reply fits in a frame.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use distro_tui::{
    net::{
        naming::{
            MAX_INSTANCES, MAX_NAME, MAX_TAG, MAX_TAGS, NameChange, NameEvent, NamePage, NameQuery,
            NamingLimits, NamingServer, RegisterRequest, ShareRule,
        },
        rpc::{
            error::{Code, RemoteError},
            object::{Caller, Invocation, METHODS, Object, Objects, Response, ResultStream},
            wire::{self, Reply},
        },
        trust::{key::PublicKey, role::Role},
    },
    value::Value,
};
use futures_util::StreamExt;
use proptest::prelude::*;
use tokio_util::task::AbortOnDropHandle;

fn caller(n: u8, role: Role) -> Caller {
    Caller {
        principal: PublicKey::from_bytes([n; 32]).into(),
        role,
    }
}

/// A naming server with this many names of one owner, each with as many tags as it may have.
fn filled(names: usize) -> NamingServer {
    let naming = NamingServer::new(NamingLimits::default());
    let uri: distro_tui::net::uri::Uri = "distro:x@127.0.0.1:1".parse().expect("a URI");
    for n in 0..names {
        let name = format!("name-{n:06}-{}", "a".repeat(200));
        let mut request = RegisterRequest::new(name, uri.clone());
        request.tags = (0..MAX_TAGS).map(|tag| format!("tag-{tag}")).collect();
        let owner = caller(1, Role::Member);
        naming.register(&owner, request).expect("room");
    }
    naming
}

async fn call(
    naming: &NamingServer,
    method: &str,
    args: Vec<Value>,
) -> Result<Response, RemoteError> {
    let invocation = Invocation {
        caller: caller(2, Role::Read),
        method: method.to_owned(),
        args,
        kwargs: vec![],
    };
    let objects = Objects::default();
    objects.expose("naming", Arc::new(naming.object()));
    objects.call("naming", invocation).await
}

async fn reply(
    naming: &NamingServer,
    method: &str,
    args: Vec<Value>,
) -> Result<Value, RemoteError> {
    match call(naming, method, args).await? {
        Response::One(reply) => Ok(reply.to_value().expect("a value")),
        Response::Stream(_) => panic!("{method} gives one value"),
    }
}

async fn list(naming: &NamingServer, query: &NameQuery) -> Result<Value, RemoteError> {
    let query = Value::from_typed(query).expect("a value");
    reply(naming, "list", vec![query]).await
}

async fn watch(naming: &NamingServer) -> ResultStream {
    match call(naming, "watch", vec![]).await.expect("watched") {
        Response::Stream(events) => events,
        Response::One(_) => panic!("a stream"),
    }
}

async fn next_event(events: &mut ResultStream) -> NameEvent {
    let event = events.next().await.expect("goes on").expect("an event");
    event.to_typed().expect("an event")
}

/// Applies an event to a copy of the names, and reports whether the snapshot is complete.
fn apply(names: &mut BTreeMap<String, Vec<String>>, event: NameEvent) -> bool {
    match event {
        NameEvent::Snapshot {
            first,
            more,
            records,
            ..
        } => {
            if first {
                names.clear();
            }
            names.extend(records.into_iter().map(|record| (record.name, record.tags)));
            !more
        }
        NameEvent::Changes { changes, .. } => {
            for change in changes {
                match change {
                    NameChange::Put(record) => drop(names.insert(record.name, record.tags)),
                    NameChange::Removed { name, .. } => drop(names.remove(&name)),
                }
            }
            false
        }
    }
}

/// Counts the turns that another task gets on this thread while it lives.
fn count_turns() -> (Arc<AtomicUsize>, AbortOnDropHandle<()>) {
    let turns = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&turns);
    let task = tokio::spawn(async move {
        loop {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    (turns, AbortOnDropHandle::new(task))
}

#[tokio::test]
async fn a_list_of_tags_over_the_limit_is_refused() {
    let naming = filled(10);
    let too_many: Vec<String> = (0..=MAX_TAGS).map(|tag| tag.to_string()).collect();
    for query in [
        NameQuery {
            tags_all: too_many.clone(),
            ..NameQuery::default()
        },
        NameQuery {
            tags_any: too_many,
            ..NameQuery::default()
        },
        NameQuery {
            prefix: Some("x".repeat(257)),
            ..NameQuery::default()
        },
        NameQuery {
            regex: Some("x".repeat(1_025)),
            ..NameQuery::default()
        },
    ] {
        let refused = list(&naming, &query).await.expect_err("over a limit");
        assert_eq!(refused.code, Code::BadArguments, "{refused}");
        assert!(refused.message.contains("limit"), "{refused}");
    }
    let most = NameQuery {
        tags_all: (0..MAX_TAGS).map(|tag| format!("tag-{tag}")).collect(),
        ..NameQuery::default()
    };
    let page: NamePage = list(&naming, &most)
        .await
        .expect("at the limit")
        .to_typed()
        .expect("a page");
    assert_eq!(page.records.len(), 10);
}

#[tokio::test]
async fn a_slow_search_leaves_the_thread_to_others_meanwhile() {
    let naming = filled(5_000);
    // A pattern that backtracking engines never finish, and this one slowly.
    let slow = NameQuery {
        regex: Some("(a?){200}a{200}[0-9]".into()),
        ..NameQuery::default()
    };
    let (turns, _counting) = count_turns();
    let page = list(&naming, &slow).await.expect("listed");
    assert!(turns.load(Ordering::Relaxed) > 0);
    let page: NamePage = page.to_typed().expect("a page");
    assert!(page.records.is_empty());
}

#[tokio::test]
async fn the_eviction_of_many_names_leaves_the_thread_to_others_meanwhile() {
    let naming = filled(20_000);
    let (turns, _counting) = count_turns();
    let evicted = naming.evict(caller(1, Role::Member).principal).await;
    assert_eq!(evicted.expect("nothing to store"), 20_000);
    assert!(turns.load(Ordering::Relaxed) > 0);
    assert_eq!(naming.count(), 0);
}

#[tokio::test]
async fn a_watch_reads_the_names_as_they_are_when_it_gets_to_them() {
    let naming = filled(1_000);
    let owner = caller(1, Role::Member);
    let mut events = watch(&naming).await;
    let mut seen = BTreeMap::new();
    apply(&mut seen, next_event(&mut events).await);
    let early = seen.keys().next().expect("some").clone();
    let late = early.replace("000000", "000900");
    for name in [&early, &late] {
        let unregister = Invocation {
            caller: owner,
            method: "unregister".into(),
            args: vec![name.as_str().into()],
            kwargs: vec![],
        };
        naming.object().call(unregister).await.expect("its own");
    }
    loop {
        let event = next_event(&mut events).await;
        if let NameEvent::Snapshot { records, .. } = &event {
            assert!(records.iter().all(|record| record.name != late));
        }
        if apply(&mut seen, event) {
            break;
        }
    }
    assert_eq!(seen.len(), 998);
    assert!(!seen.contains_key(&early));
}

/// The resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).expect("a field");
    pages.parse::<usize>().expect("a number") * 4_096
}

#[tokio::test]
async fn an_unread_watch_takes_no_memory_for_the_names_that_it_has_not_reached() {
    let naming = filled(20_000);
    let before = resident();
    let mut watches = Vec::new();
    for _ in 0..128 {
        let mut events = watch(&naming).await;
        let event = events.next().await.expect("goes on").expect("an event");
        watches.push((events, event));
    }
    // One event of 64 KiB each; other tests of this process take some memory too.
    let grown = resident().saturating_sub(before);
    assert!(grown < 128 << 20, "{grown} bytes");
}

#[tokio::test]
async fn the_watches_of_one_key_are_limited() {
    let naming = filled(1);
    let mut watches = Vec::new();
    for _ in 0..256 {
        let mut events = watch(&naming).await;
        next_event(&mut events).await;
        watches.push(events);
    }
    let mut refused = watch(&naming).await;
    let error = refused.next().await.expect("an error").expect_err("full");
    assert_eq!(error.code, Code::QuotaExceeded);
    assert!(error.message.contains("256 open watches"), "{error}");
    watches.pop();
    next_event(&mut watch(&naming).await).await;
}

/// A text of nearly `bytes` bytes, of characters of several lengths.
fn text(seed: usize, bytes: usize) -> String {
    let mut text = seed.to_string();
    let letters = ['a', 'é', '漢', 'b'];
    for letter in letters.iter().cycle().skip(seed % 4) {
        if text.len() + letter.len_utf8() > bytes {
            return text;
        }
        text.push(*letter);
    }
    text
}

/// Registers names with several owners each, with texts of these lengths.
fn store(
    names: usize,
    owners: usize,
    name: usize,
    tags: usize,
    tag: usize,
    uri: usize,
) -> NamingServer {
    let naming = NamingServer::new(NamingLimits::default());
    for n in 0..names {
        let mut request = RegisterRequest::new(
            text(n, name),
            format!("distro:{}@127.0.0.1:65535", text(n, uri))
                .parse()
                .expect("a URI"),
        );
        request.tags = (0..tags).map(|t| text(t, tag)).collect();
        request.share = Some(ShareRule::Members);
        for owner in 0..owners {
            let owner = caller(u8::try_from(owner).expect("few"), Role::Member);
            naming
                .register(&owner, request.clone())
                .expect("it can be stored");
        }
    }
    naming
}

fn assert_fits(reply: Value) {
    wire::encode(&Reply::Ok(reply)).expect("it fits in a frame");
}

/// Reads everything in every way.
async fn read_all(naming: &NamingServer) {
    for method in ["count", "ping", METHODS] {
        assert_fits(reply(naming, method, vec![]).await.expect(method));
    }
    let mut query = NameQuery::default();
    let mut listed = 0;
    loop {
        let page = list(naming, &query).await.expect("listed");
        assert_fits(page.clone());
        let page: NamePage = page.to_typed().expect("a page");
        if let Some(record) = page.records.first() {
            let name = record.name.as_str().into();
            assert_fits(reply(naming, "lookup", vec![name]).await.expect("there"));
        }
        listed += page.records.len();
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(listed, naming.count());
    let mut events = watch(naming).await;
    loop {
        let event = events.next().await.expect("goes on").expect("an event");
        assert_fits(event.to_value().expect("a value"));
        if let NameEvent::Snapshot { more: false, .. } = event.to_typed().expect("an event") {
            break;
        }
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(test)
}

#[test]
fn the_longest_records_that_can_be_stored_can_be_read() {
    run(async {
        // One name of every owner that it may have, and more names than one page holds.
        read_all(&store(2, MAX_INSTANCES, MAX_NAME, MAX_TAGS, MAX_TAG, 480)).await;
        read_all(&store(1_000, 1, MAX_NAME, MAX_TAGS, MAX_TAG, 480)).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn no_state_that_can_be_stored_makes_a_reply_exceed_a_frame(
        names in 1usize..60,
        owners in 1usize..=MAX_INSTANCES,
        name in 3usize..=MAX_NAME,
        tags in 0usize..=MAX_TAGS,
        tag in 2usize..=MAX_TAG,
        uri in 3usize..480,
    ) {
        run(async { read_all(&store(names, owners, name, tags, tag, uri)).await });
    }
}
