//! Everything a caller meets on a healthy network, between two real endpoints.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use distro_tui::{
    net::{
        greeter,
        naming::{LeaseStatus, NameChange, NameEvent, NameQuery, RegisterRequest, proxy::Proxy},
        rpc::{
            client::{DEADLINE, Request},
            error::{CallError, Code, RemoteError},
            service::Service,
        },
        trust::peer_addr::PeerAddr,
    },
    value::Value,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Server, identity, loopback, uri};

#[tokio::test]
async fn a_process_greets_itself_by_way_of_the_naming_server() {
    let me = identity();
    let (endpoint, addr) = loopback(&me, &[]);
    let server = Server::start(&endpoint, addr);
    let registration = server.keep_greeter(&endpoint, addr);
    let mut status = registration.status();
    let stop = CancellationToken::new();
    let renewals = tokio::spawn(registration.run(stop.clone()));
    status
        .wait_for(|s| *s == LeaseStatus::Held)
        .await
        .expect("registered");

    let naming = server.naming_client(&endpoint);
    let listed = naming.list(&NameQuery::default()).await.expect("listed");
    let names: Vec<_> = listed.records.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["naming", "server"]);

    let proxy = Proxy::new(naming.clone(), greeter::NAME);
    let called = proxy
        .call(greeter::METHOD, vec!["Ali".into()])
        .await
        .expect("greeted");
    assert_eq!(called.value, Value::from("Hi welcome Ali"));
    assert_eq!(called.server.owner, me.public());

    stop.cancel();
    renewals.await.expect("ended well");
    let gone = naming.lookup(greeter::NAME).await.expect_err("taken back");
    assert!(matches!(gone, CallError::Remote(error) if error.code == Code::NotFound));
    endpoint.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn another_process_is_authorized_by_its_key_only() {
    let (server_id, member, unknown) = (identity(), identity(), identity());
    let (endpoint, addr) = loopback(&server_id, &[&member]);
    let server = Server::start(&endpoint, addr);
    let (member, _) = loopback(&member, &[]);
    assert!(server.naming_client(&member).ping().await.is_ok());

    let (unknown, _) = loopback(&unknown, &[]);
    let refused = server
        .naming_client(&unknown)
        .ping()
        .await
        .expect_err("refused");
    assert!(
        refused
            .to_string()
            .contains("does not know this process's key"),
        "{refused}"
    );

    // The right address with the wrong key fails closed, at the caller.
    let wrong = PeerAddr {
        key: member.key(),
        ..server.peer
    };
    let request = Request::new("naming", "ping", vec![]);
    let refused = member
        .client()
        .call(wrong, request, DEADLINE)
        .await
        .expect_err("pinned");
    assert!(matches!(refused, CallError::Connect { .. }), "{refused}");
    assert!(refused.to_string().contains("another key"), "{refused}");
}

#[tokio::test]
async fn errors_affect_their_own_call_alone() {
    let me = identity();
    let (endpoint, addr) = loopback(&me, &[]);
    let server = Server::start(&endpoint, addr);
    let client = endpoint.client();
    let cases = [
        ("nobody", "x", vec![], Code::NotFound),
        ("server", "wellcome", vec![], Code::UnknownMethod),
        ("server", "welcomeMessage", vec![], Code::BadArguments),
        (
            "server",
            "welcomeMessage",
            vec![Value::Int(5)],
            Code::BadArguments,
        ),
        (
            "server",
            "welcomeMessage",
            vec!["".into()],
            Code::BadArguments,
        ),
        (
            "server",
            "welcomeMessage",
            vec!["x".repeat(70_000).into()],
            Code::BadArguments,
        ),
        (
            "naming",
            "lookup",
            vec!["x".into(), "y".into()],
            Code::BadArguments,
        ),
        (
            "naming",
            "unregister",
            vec!["nothing".into()],
            Code::NotFound,
        ),
    ];
    for (object, method, args, code) in cases {
        let request = Request::new(object, method, args);
        match client.call(server.peer, request, DEADLINE).await {
            Err(CallError::Remote(error)) => assert_eq!(error.code, code, "{error}"),
            other => panic!("{object}.{method}: {other:?}"),
        }
    }
    // Too large to send is refused here, and the connection lives on.
    let huge = Request::new("server", "welcomeMessage", vec!["x".repeat(2 << 20).into()]);
    let refused = client
        .call(server.peer, huge, DEADLINE)
        .await
        .expect_err("too large");
    assert!(matches!(refused, CallError::Protocol(_)), "{refused}");
    let name = "👩‍👩‍👧 \u{202e}علی\u{1b}[2J\n".repeat(300);
    let fine = Request::new("server", "welcomeMessage", vec![name.as_str().into()]);
    let greeting = client
        .call(server.peer, fine, DEADLINE)
        .await
        .expect("greeted");
    assert_eq!(greeting, Value::from(format!("Hi welcome {name}")));
}

#[tokio::test]
async fn a_watcher_sees_what_there_is_and_then_every_change() {
    let me = identity();
    let (endpoint, addr) = loopback(&me, &[]);
    let server = Server::start(&endpoint, addr);
    let naming = server.naming_client(&endpoint);
    for n in 0..250 {
        let register = RegisterRequest::new(format!("n{n:03}"), uri("x", addr));
        naming.register(&register).await.expect("registered");
    }
    let mut watch = naming.watch(None).await.expect("watching");
    let (mut records, mut parts) = (0, 0);
    loop {
        match watch.next().await.expect("alive") {
            Some(NameEvent::Snapshot {
                first,
                more,
                records: part,
                ..
            }) => {
                assert_eq!(first, parts == 0);
                records += part.len();
                parts += 1;
                if !more {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((records, parts), (251, 3));
    naming.unregister("n007").await.expect("own");
    match watch.next().await.expect("alive") {
        Some(NameEvent::Changes { changes, .. }) => {
            assert!(matches!(&changes[..], [NameChange::Removed { name, .. }] if name == "n007"));
        }
        other => panic!("{other:?}"),
    }
}

/// Counts how many of its calls are under way.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn endless(running: &Arc<AtomicUsize>, started: &Arc<tokio::sync::Notify>) -> Service {
    let (running, started) = (Arc::clone(running), Arc::clone(started));
    Service::new("Never answers").method("wait() -> null", "Waits.", move |_, []: [(); 0]| {
        running.fetch_add(1, Ordering::SeqCst);
        let guard = Running(Arc::clone(&running));
        started.notify_one();
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
            Ok::<_, RemoteError>(())
        }
    })
}

#[tokio::test]
async fn dropping_a_call_drops_the_method_and_a_deadline_does_too() {
    let me = identity();
    let (endpoint, addr) = loopback(&me, &[]);
    let server = Server::start(&endpoint, addr);
    let running = Arc::new(AtomicUsize::new(0));
    let started = Arc::new(tokio::sync::Notify::new());
    endpoint
        .objects()
        .expose("endless", Arc::new(endless(&running, &started)));

    let client = endpoint.client();
    let call = tokio::spawn({
        let client = client.clone();
        async move {
            let request = Request::new("endless", "wait", vec![]);
            client
                .call(server.peer, request, Duration::from_secs(60))
                .await
        }
    });
    started.notified().await;
    assert_eq!(running.load(Ordering::SeqCst), 1);
    call.abort();
    while running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }

    let request = Request::new("endless", "wait", vec![]);
    let short = Duration::from_millis(50);
    let late = client
        .call(server.peer, request, short)
        .await
        .expect_err("late");
    // Whichever side's clock rings first, it is the same deadline.
    assert!(
        matches!(&late, CallError::Deadline(d) if *d == short)
            || matches!(&late, CallError::Remote(f) if f.code == Code::Expired),
        "{late:?}"
    );
    while running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn more_calls_than_streams_wait_and_all_are_answered() {
    let me = identity();
    let (endpoint, addr) = loopback(&me, &[]);
    let server = Server::start(&endpoint, addr);
    let client = endpoint.client();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..1_000 {
        let client = client.clone();
        calls.spawn(async move {
            let request = Request::new("server", "welcomeMessage", vec![format!("n{n}").into()]);
            (n, client.call(server.peer, request, DEADLINE).await)
        });
    }
    while let Some(done) = calls.join_next().await {
        let (n, greeting) = done.expect("no panic");
        assert_eq!(greeting, Ok(format!("Hi welcome n{n}").into()));
    }
}

#[tokio::test]
async fn shutdown_finishes_running_calls_and_notifies_peers() {
    let (a, b) = (identity(), identity());
    let (endpoint, addr) = loopback(&a, &[&b]);
    let server = Server::start(&endpoint, addr);
    let (other, _) = loopback(&b, &[]);
    let naming = server.naming_client(&other);
    naming.ping().await.expect("alive");
    let mut watch = naming.watch(None).await.expect("watching");
    watch.next().await.expect("the snapshot");
    endpoint.shutdown(Duration::from_secs(2)).await;
    // The watch ends, or the connection does; nobody waits for an idle timeout.
    assert!(!matches!(watch.next().await, Ok(Some(_))));
    let ping = Request::new("naming", "ping", vec![]);
    let closed = endpoint.client().call(server.peer, ping, DEADLINE).await;
    assert_eq!(closed, Err(CallError::Closed));
}
