//! Peers that take more than their share, with and without a key: others are served as before, and what
//! they take stays within the limits.

use std::{net::SocketAddr, sync::Arc};

use distro_tui::net::{
    greeter,
    rpc::{
        client::{DEADLINE, Request},
        endpoint::{Endpoint, KeyUsage, PeerLimits},
        error::{CallError, Code, RemoteError},
        service::Service,
        wire::{self, Call, MAX_FRAME, Reply},
    },
    trust::{
        identity::Identity, members::Members, peer_addr::PeerAddr, role::Role, ticket::Ticket,
    },
};
use tokio::{task::JoinSet, time::Duration};

use crate::{
    raw_client::{CALLS, JOINS, RawClient},
    support::{Server, identity, loopback},
};

/// The application error code of a server that is busy.
const BUSY: u32 = 2;

/// A server with a greeter, and its endpoint.
fn server(limits: PeerLimits) -> (Endpoint, PeerAddr) {
    let identity = identity();
    let members = Members::self_only(identity.public());
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = Endpoint::bind_paused(anywhere, &identity, members, limits);
    let endpoint = bound.expect("a free port");
    let addr = endpoint.local_addr().expect("bound");
    let peer = Server::start(&endpoint, addr).peer;
    endpoint.start_accepting();
    (endpoint, peer)
}

/// A member with a socket of its own.
fn member(of: &Endpoint) -> (Endpoint, Identity) {
    let identity = identity();
    of.members().admit(identity.public(), Role::Member);
    (loopback(&identity, &[]).0, identity)
}

async fn greet(from: &Endpoint, peer: PeerAddr) -> Result<(), CallError> {
    let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
    from.client().call(peer, request, DEADLINE).await.map(drop)
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn usage(of: &Endpoint, raw_client: &RawClient) -> KeyUsage {
    let usage = of.usage_by_key();
    usage.get(&raw_client.key).copied().unwrap_or_default()
}

/// Handshakes that never end, from an address that proves itself, more than all connections there may be.
#[tokio::test]
async fn half_open_handshakes_take_no_room_from_members() {
    let limits = PeerLimits {
        connections: 8,
        ..PeerLimits::default()
    };
    let (endpoint, peer) = server(limits);
    let raw_client = RawClient::half_deaf();
    let mut half_open = JoinSet::new();
    for _ in 0..150 {
        half_open.spawn(raw_client.dial(peer.addr, 1));
    }
    until(|| endpoint.connection_stats().evicted > 0).await;
    assert!(
        endpoint.connection_stats().retried > 0,
        "it proved its address"
    );
    let mut visitors = Vec::new();
    for _ in 0..6 {
        half_open.spawn(raw_client.dial(peer.addr, 1));
        let (visitor, _) = member(&endpoint);
        greet(&visitor, peer).await.expect("greets");
        visitors.push(visitor);
    }
    let stats = endpoint.connection_stats();
    assert!(stats.handshaking <= 64, "{stats:?}");
    assert_eq!(stats.busy, 0);
}

/// As many as there are slots, each with a proved key and not a word.
#[tokio::test]
async fn silent_clients_do_not_keep_others_from_joining() {
    let (endpoint, peer) = server(PeerLimits::default());
    let raw_client = RawClient::new(JOINS);
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(raw_client.connect(peer).await);
    }
    let record = endpoint.members().issue_ticket(Role::Member, false, None);
    let ticket: Ticket = endpoint.ticket_for(&record.await.expect("issued"), vec![peer.addr]);
    for _ in 0..12 {
        let visitor = loopback(&identity(), &[]).0;
        let joined = visitor.client().join(&ticket, "honest").await;
        assert_eq!(joined.expect("joins").1, Role::Member);
    }
    assert_eq!(endpoint.members().list().len(), 12);
}

#[tokio::test]
async fn one_that_loses_its_slot_is_told_that_the_server_is_busy() {
    let (endpoint, peer) = server(PeerLimits::default());
    let raw_client = RawClient::new(JOINS);
    let first = raw_client.connect(peer).await;
    let mut later = Vec::new();
    for _ in 0..4 {
        later.push(raw_client.connect(peer).await);
    }
    let quinn::ConnectionError::ApplicationClosed(close) = first.closed().await else {
        panic!("{:?}", first.close_reason());
    };
    assert_eq!(close.error_code, BUSY.into());
    assert_eq!(endpoint.connection_stats().busy, 1);
}

/// Without the stream that it has to grant, a client would never be looked at again.
#[tokio::test]
async fn a_revoked_client_that_grants_no_stream_is_disconnected() {
    let (endpoint, peer) = server(PeerLimits::default());
    let raw_client = RawClient::new(CALLS);
    endpoint.members().admit(raw_client.key, Role::Member);
    let connection = raw_client.dial(peer.addr, 0).await.expect("connects");
    until(|| usage(&endpoint, &raw_client).connections == 1).await;
    endpoint
        .members()
        .revoke(raw_client.key)
        .await
        .expect("stored");
    let quinn::ConnectionError::ApplicationClosed(close) = connection.closed().await else {
        panic!("{:?}", connection.close_reason());
    };
    assert_eq!(close.reason, "the role of this key has changed");
    until(|| usage(&endpoint, &raw_client).connections == 0).await;
}

/// A call with `args` bytes of arguments, as it is sent.
fn frame(object: &str, method: &str, args: usize) -> Vec<u8> {
    let call = Call {
        object: object.into(),
        method: method.into(),
        deadline_ms: 60_000,
        args: match args {
            0 => vec![],
            _ => vec!["x".repeat(args).as_str().into()],
        },
        kwargs: vec![],
    };
    wire::encode(&call).expect("small enough")
}

async fn reply(recv: &mut quinn::RecvStream) -> Result<(), RemoteError> {
    match wire::read(recv).await.expect("a reply").expect("a reply") {
        Reply::Ok(_) => Ok(()),
        Reply::Err(error) => Err(error),
    }
}

/// All but the last byte of large requests, on more streams than the budget has room for.
#[tokio::test]
async fn unfinished_requests_hold_no_more_than_the_budget_of_their_key() {
    let limits = PeerLimits {
        call_bytes: 8 << 20,
        call_bytes_per_key: 4 << 20,
        ..PeerLimits::default()
    };
    let (endpoint, peer) = server(limits);
    let raw_client = RawClient::new(CALLS);
    endpoint.members().admit(raw_client.key, Role::Member);
    let connection = raw_client.connect(peer).await;
    let sink = Service::new("Takes text").method(
        "take(text: str) -> int",
        "Returns the length.",
        |_, [text]: [String; 1]| std::future::ready(Ok::<_, RemoteError>(text.len())),
    );
    endpoint.objects().expose("sink", Arc::new(sink));
    let whole = frame("sink", "take", MAX_FRAME - 200);
    let mut streams = JoinSet::new();
    for _ in 0..16 {
        let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
        let part = whole[..whole.len() - 1].to_vec();
        streams.spawn(async move {
            // Those that are refused are asked to stop sending.
            send.write_all(&part).await.ok();
            let refused = reply(&mut recv).await;
            (send, refused)
        });
    }
    until(|| usage(&endpoint, &raw_client).call_bytes > 3 << 20).await;
    // Another key has its own budget, and small calls need none.
    let (other, _) = member(&endpoint);
    let large = vec!["x".repeat(MAX_FRAME / 2).as_str().into()];
    let request = Request::new("sink", "take", large);
    let taken = other.client().call(peer, request, DEADLINE).await;
    taken.expect("it has its own budget");
    greet(&other, peer).await.expect("greets");
    // Twelve found no room; the other four are still waited for.
    for _ in 0..12 {
        let ended = streams.join_next().await.expect("sixteen");
        let held = usage(&endpoint, &raw_client).call_bytes;
        assert!(held <= 4 << 20, "{held}");
        let (_, ended) = ended.expect("no panic");
        let error = ended.expect_err("it was not complete");
        assert_eq!(error.code, Code::QuotaExceeded, "{error}");
        assert!(error.message.contains("quota of 4194304 bytes"), "{error}");
    }
    drop((streams, connection));
    until(|| endpoint.usage().used.call_bytes == 0).await;
}

/// Large replies that nobody reads.
#[tokio::test]
async fn unsent_replies_hold_no_more_than_the_budget_of_their_key() {
    let limits = PeerLimits {
        call_bytes_per_key: 2 << 20,
        ..PeerLimits::default()
    };
    let (endpoint, peer) = server(limits);
    let large = Service::new("Replies at length").method(
        "fill() -> str",
        "Returns half of what a frame holds.",
        |_, []: [(); 0]| std::future::ready(Ok::<_, RemoteError>("x".repeat(MAX_FRAME / 2))),
    );
    endpoint.objects().expose("large", Arc::new(large));
    let raw_client = RawClient::new(CALLS);
    endpoint.members().admit(raw_client.key, Role::Member);
    let connection = raw_client.connect(peer).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let (mut send, recv) = connection.open_bi().await.expect("a stream");
        send.write_all(&frame("large", "fill", 0))
            .await
            .expect("sent");
        send.finish().expect("open");
        streams.push(recv);
    }
    until(|| endpoint.usage().refused > 0).await;
    let held = usage(&endpoint, &raw_client).call_bytes;
    assert!(held <= 2 << 20, "{held}");
    let (other, _) = member(&endpoint);
    greet(&other, peer).await.expect("greets");
    // A caller that reads gets what was sent, and the reason for what was not.
    let mut refused = 0;
    for mut stream in streams {
        if let Err(error) = reply(&mut stream).await {
            assert_eq!(error.code, Code::QuotaExceeded, "{error}");
            refused += 1;
        }
    }
    assert!((1..64).contains(&refused), "{refused}");
    until(|| endpoint.usage().used.call_bytes == 0).await;
}

#[tokio::test]
async fn calls_over_the_quota_of_a_key_are_refused_and_other_keys_are_not() {
    let limits = PeerLimits {
        calls_per_key: 4,
        ..PeerLimits::default()
    };
    let (endpoint, peer) = server(limits);
    let never = Service::new("Never replies").method(
        "wait() -> null",
        "Waits for ever.",
        |_, []: [(); 0]| std::future::pending::<Result<(), RemoteError>>(),
    );
    endpoint.objects().expose("never", Arc::new(never));
    let (greedy, greedy_id) = member(&endpoint);
    let mut waiting = JoinSet::new();
    // Over two connections.
    let second = loopback(&greedy_id, &[]).0;
    for client in [greedy.client(), second.client()] {
        for _ in 0..2 {
            let client = client.clone();
            let request = Request::new("never", "wait", vec![]);
            waiting.spawn(async move { client.call(peer, request, 60 * DEADLINE).await });
        }
    }
    let calls = |of: &Endpoint| of.usage_by_key().values().map(|u| u.calls).sum::<usize>();
    until(|| calls(&endpoint) == 4).await;
    let refused = greet(&greedy, peer).await;
    let Err(CallError::Remote(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code, Code::QuotaExceeded);
    assert!(error.message.contains("quota of 4 calls"), "{error}");
    let (other, _) = member(&endpoint);
    greet(&other, peer).await.expect("greets");
    waiting.shutdown().await;
    until(|| calls(&endpoint) == 0).await;
    greet(&second, peer).await.expect("greets");
}
