//! Both ends of a loopback network: a server in a thread of its own, and callers that never rest.

use std::{
    net::SocketAddr,
    sync::mpsc,
    time::{Duration, Instant},
};

use distro_tui::net::{
    rpc::endpoint::Endpoint,
    trust::{
        identity::Identity, key::PublicKey, members::Members, peer_addr::PeerAddr, role::Role,
    },
};
use tokio::{runtime::Runtime, task::JoinSet};

/// A free port on loopback.
pub(crate) const ANYWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// One thread drives everything on it. With more, the tasks of one connection contend for its lock.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs nothing that a benchmark cannot have")
}

/// Starts a server in a thread with a runtime of its own and answers what `serve` answered. It runs to
/// the end of the process.
pub(crate) fn in_thread<T: Send + 'static>(serve: impl FnOnce() -> T + Send + 'static) -> T {
    let (ready, started) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            ready.send(serve()).expect("the benchmark waits for it");
            std::future::pending::<()>().await;
        });
    });
    started.recv().expect("the server starts or says why not")
}

/// An endpoint on loopback that lets one other key in, and how to reach it.
pub(crate) fn endpoint(identity: &Identity, other: PublicKey) -> (Endpoint, PeerAddr) {
    let members = Members::self_only(identity.public());
    members.admit(other, Role::Member);
    let endpoint = Endpoint::bind(ANYWHERE, identity, members).expect("a free port");
    let peer = PeerAddr {
        addr: endpoint.local_addr().expect("it is bound"),
        key: endpoint.key(),
    };
    (endpoint, peer)
}

/// A key for one run.
pub(crate) fn identity() -> Identity {
    Identity::ephemeral().expect("the system has random numbers")
}

/// Keeps this many calls under way for a while, each followed by the next; answers how many there were.
pub(crate) async fn closed_loop<F, Call>(in_flight: usize, span: Duration, call: F) -> u64
where
    F: Fn() -> Call + Clone + Send + 'static,
    Call: Future<Output = ()> + Send,
{
    let until = Instant::now() + span;
    let mut callers = JoinSet::new();
    for _ in 0..in_flight {
        let call = call.clone();
        callers.spawn(async move {
            let mut calls = 0;
            while Instant::now() < until {
                call().await;
                calls += 1;
            }
            calls
        });
    }
    callers.join_all().await.into_iter().sum()
}
