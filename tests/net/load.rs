//! Many peers, silent peers, slow peers and peers that send too much: other peers are unaffected, and
//! memory and open files stay bounded.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use distro_tui::net::{
    greeter,
    rpc::{
        client::{DEADLINE, Request},
        endpoint::Endpoint,
        error::CallError,
        wire::MAX_FRAME,
    },
    trust::{identity::Identity, members::Members, peer_addr::PeerAddr, role::Role},
};
use tokio::{net::UdpSocket, task::JoinSet};

use crate::support::{Server, identity, loopback};

async fn greet(from: &Endpoint, peer: PeerAddr) -> Result<(), CallError> {
    let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
    from.client().call(peer, request, DEADLINE).await.map(drop)
}

fn client(identity: &Identity) -> Endpoint {
    loopback(identity, &[]).0
}

/// The number of open files and of resident pages of memory.
fn footprint() -> (usize, usize) {
    let files = fs::read_dir("/proc/self/fd").expect("Linux").count();
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).and_then(|text| text.parse().ok());
    (files, pages.expect("a number"))
}

/// Connections one after the other: after the first third, resources do not grow. With ten thousand:
/// `LOAD=10000 cargo test --release --test net load`.
#[cfg(target_os = "linux")]
#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    // In a separate process, so that files of other tests are not counted.
    let program = std::env::current_exe().expect("a running program has a file");
    let visitor = std::process::Command::new(program)
        .args([
            "--exact",
            "load::repeated_connections",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&visitor.stderr);
    assert!(visitor.status.success(), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "started by the test above"]
fn repeated_connections() {
    let count: usize = std::env::var("LOAD").map_or(1_500, |n| n.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (server_id, client_id) = (identity(), identity());
        let (endpoint, addr) = loopback(&server_id, &[&client_id]);
        let server = Server::start(&endpoint, addr);
        let mut before = (0, 0);
        for n in 0..count {
            // A client of its own each time, so that each is a whole handshake.
            let client = client(&client_id);
            greet(&client, server.peer).await.expect("greets");
            client.shutdown(Duration::from_millis(1)).await;
            if n == count / 3 {
                before = footprint();
            }
        }
        // The last ones are still being closed.
        while endpoint.connection_stats().open > 8 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let after = footprint();
        assert!(after.0 <= before.0 + 40, "files: {before:?}, {after:?}");
        let grown = after.1.saturating_sub(before.1) * 4 / 1024;
        assert!(grown < 24, "{grown} MiB: {before:?}, {after:?}");
        assert!(endpoint.connections_by_key().len() <= 1);
    });
}

/// A thousand idle connections, and calls meanwhile.
#[tokio::test]
async fn a_thousand_silent_peers_block_no_calls() {
    // A socket each is more than a process may open unless it asks.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let more = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, more).expect("up to the most");
    let (server_id, busy_id) = (identity(), identity());
    let (endpoint, addr) = loopback(&server_id, &[&busy_id]);
    let server = Server::start(&endpoint, addr);
    // Few keys with many connections each cost the test less than a thousand keys, and the server the same.
    let idle: Vec<Identity> = (0..10).map(|_| identity()).collect();
    for peer in &idle {
        endpoint.members().admit(peer.public(), Role::Read);
    }
    let mut sleeping = Vec::new();
    for n in 0..1_000 {
        let client = client(&idle[n % idle.len()]);
        let hello = client.client().connect(server.peer, DEADLINE).await;
        hello.expect("accepted");
        sleeping.push(client);
    }
    assert_eq!(endpoint.connections_by_key().values().sum::<usize>(), 1_000);
    let busy = client(&busy_id);
    for _ in 0..200 {
        greet(&busy, server.peer).await.expect("greets");
    }
    assert_eq!(endpoint.connections_by_key().values().sum::<usize>(), 1_001);
}

#[tokio::test]
async fn one_key_cannot_use_up_all_connections() {
    let (server_id, greedy_id, other_id) = (identity(), identity(), identity());
    let (endpoint, addr) = loopback(&server_id, &[&greedy_id, &other_id]);
    let server = Server::start(&endpoint, addr);
    let mut held = Vec::new();
    let refused = loop {
        let client = client(&greedy_id);
        match client.client().connect(server.peer, DEADLINE).await {
            Ok(_) => held.push(client),
            Err(error) => break error,
        }
        assert!(held.len() <= 256, "there is a bound");
    };
    assert!(matches!(refused, CallError::Busy(_)), "{refused}");
    assert!(greet(&client(&other_id), server.peer).await.is_ok());
}

/// The first packets of handshakes that never continue, as an attacker with spoofed addresses sends
/// them.
#[tokio::test]
async fn in_a_flood_of_handshakes_addresses_must_be_proved_first() {
    let (server_id, friend_id) = (identity(), identity());
    let (endpoint, addr) = loopback(&server_id, &[&friend_id]);
    let server = Server::start(&endpoint, addr);
    // What a first packet looks like: a client that dials a socket which only listens.
    let ear = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a port");
    let deaf = PeerAddr {
        addr: ear.local_addr().expect("bound"),
        key: server.peer.key,
    };
    let mut packets: Vec<Vec<u8>> = Vec::new();
    let mut dialling = JoinSet::new();
    let unknown: Vec<Endpoint> = (0..100).map(|_| client(&identity())).collect();
    for endpoint in &unknown {
        let client = endpoint.client();
        dialling.spawn(async move { client.connect(deaf, DEADLINE).await.map(drop) });
    }
    let mut from = std::collections::HashSet::new();
    while packets.len() < 100 {
        let mut packet = [0; 2_048];
        let (length, sender) = ear.recv_from(&mut packet).await.expect("a packet");
        if from.insert(sender) {
            packets.push(packet[..length].to_vec());
        }
    }
    dialling.abort_all();
    let mouth = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a port");
    for packet in &packets {
        mouth.send_to(packet, addr).await.expect("sent");
        tokio::task::yield_now().await;
    }
    // Somebody with an address of his own gets in all the same, by way of proving it.
    while endpoint.connection_stats().retried == 0 {
        for packet in &packets {
            mouth.send_to(packet, addr).await.expect("sent");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(greet(&client(&friend_id), server.peer).await.is_ok());
}

/// A call that is sent a byte at a time, and one that announces more than a frame may hold.
#[tokio::test]
async fn slow_and_huge_requests_cost_their_senders_only() {
    let (server_id, bad_id, good_id) = (identity(), identity(), identity());
    let (endpoint, addr) = loopback(&server_id, &[&bad_id, &good_id]);
    let server = Server::start(&endpoint, addr);
    let huge = vec!["x".repeat(MAX_FRAME).as_str().into()];
    let request = Request::new(greeter::NAME, greeter::METHOD, huge);
    let bad = client(&bad_id);
    let refused = bad.client().call(server.peer, request, DEADLINE).await;
    assert!(
        matches!(refused, Err(CallError::Protocol(_))),
        "{refused:?}"
    );
    // As many unfinished calls as one connection may have, and the other calls as before.
    let never = distro_tui::net::rpc::service::Service::new("Never answers").method(
        "wait() -> null",
        "Waits for ever.",
        |_, []: [(); 0]| {
            std::future::pending::<Result<(), distro_tui::net::rpc::error::RemoteError>>()
        },
    );
    endpoint.objects().expose("never", Arc::new(never));
    let mut waiting = JoinSet::new();
    for _ in 0..256 {
        let client = bad.client();
        let request = Request::new("never", "wait", vec![]);
        let long = Duration::from_secs(300);
        waiting.spawn(async move { client.call(server.peer, request, long).await });
    }
    let good = client(&good_id);
    for _ in 0..100 {
        greet(&good, server.peer).await.expect("greets");
    }
    // One more of the greedy one's waits for room, under its own deadline.
    let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
    let brief = Duration::from_millis(100);
    let late = bad.client().call(server.peer, request, brief).await;
    assert!(matches!(late, Err(CallError::Deadline(_))), "{late:?}");
    waiting.abort_all();
    while waiting.join_next().await.is_some() {}
    assert!(
        greet(&bad, server.peer).await.is_ok(),
        "dropped calls make room"
    );
}

/// An attack on the text of the ticket needs the secret; on the list of members, the lock of the file.
#[tokio::test]
async fn an_empty_member_list_admits_no_key() {
    let (server_id, unknown_id) = (identity(), identity());
    let members = Members::self_only(server_id.public());
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Endpoint::bind(anywhere, &server_id, members).expect("a port");
    let addr = endpoint.local_addr().expect("bound");
    let server = Server::start(&endpoint, addr);
    let refused = greet(&client(&unknown_id), server.peer).await;
    assert!(
        matches!(refused, Err(CallError::Unauthorized(_))),
        "{refused:?}"
    );
}
